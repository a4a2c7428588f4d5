// Reads lines of Hubble's JSON strictly, with Hubble's own types: an unknown field, a word that is no
// value of its enum or a number out of range is an error. What was read is printed as Go writes it,
// which our reader must read as the same flows.
package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/cilium/cilium/api/v1/observer"
	"google.golang.org/protobuf/encoding/protojson"

	// What `extensions` holds.
	_ "google.golang.org/protobuf/types/known/structpb"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<22)
	written := protojson.MarshalOptions{UseProtoNames: true}
	read, refused := 0, 0
	for lines.Scan() {
		var response observer.GetFlowsResponse
		if err := protojson.Unmarshal(lines.Bytes(), &response); err != nil {
			refused++
			fmt.Fprintf(os.Stderr, "line %d: %v\n", read+refused, err)
			continue
		}
		read++
		fmt.Println(written.Format(&response))
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	fmt.Fprintf(os.Stderr, "%d read, %d refused\n", read, refused)
	if refused > 0 || read == 0 {
		os.Exit(1)
	}
}
