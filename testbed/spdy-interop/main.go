// Command spdy-interop shows what Kubernetes' own ends of SPDY say, and whether they understand ours.
//
//	spdy-interop record FOLDER   lets client-go talk to the kubelet's streaming server and writes what each said
//	spdy-interop check FOLDER    says to that server, and reads with its framer, what session-proto wrote there
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/utils/exec"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "spdy-interop:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: spdy-interop record|check FOLDER")
	}
	server := httptest.NewServer(http.HandlerFunc(serve))
	defer server.Close()
	switch args[0] {
	case "record":
		return record(server, args[1])
	case "check":
		return check(server, args[1])
	default:
		return fmt.Errorf("no mode %q", args[0])
	}
}

// serve answers as a kubelet does.
func serve(w http.ResponseWriter, req *http.Request) {
	const timeout = time.Minute
	if req.URL.Path == "/forward" {
		portforward.ServePortForward(w, req, ports{}, "pod", "", &portforward.V4Options{}, timeout, timeout, portforward.SupportedProtocols)
		return
	}
	options, err := remotecommand.NewOptions(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(w, req, command{}, "pod", "", "", nil, options, timeout, timeout, remotecommand.SupportedStreamingProtocols)
}

// command repeats its input on stdout, or says that there is none, complains on stderr and exits with 7; on a terminal it says how large that is.
type command struct{}

func (command) ExecInContainer(_ context.Context, _, _, _ string, _ []string, in io.Reader, out, err io.WriteCloser, tty bool, resize <-chan remotecommand.TerminalSize, _ time.Duration) error {
	if tty {
		size := <-resize
		fmt.Fprintf(out, "%dx%d\r\n", size.Width, size.Height)
		return nil
	}
	if in == nil {
		fmt.Fprint(out, "no input\n")
	} else if _, failed := io.Copy(out, in); failed != nil {
		return failed
	}
	fmt.Fprint(err, "oops\n")
	return exec.CodeExitError{Err: errors.New("exit status 7"), Code: 7}
}

// ports has an echo behind port 80 and nothing behind others.
type ports struct{}

func (ports) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	if port != 80 {
		return errors.New("connection refused")
	}
	_, err := io.Copy(stream, stream)
	return err
}

// tap passes a connection to the server on and notes what went by, after the HTTP of its beginning.
type tap struct {
	listener net.Listener
	notes    chan string
}

func newTap(server *httptest.Server) (*tap, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &tap{listener, make(chan string, 1<<16)}
	go func() {
		defer close(t.notes)
		client, err := listener.Accept()
		if err != nil {
			return
		}
		upstream, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			client.Close()
			return
		}
		done := make(chan struct{}, 2)
		go t.pass(">", client, upstream, done)
		go t.pass("<", upstream, client, done)
		<-done
		<-done
	}()
	return t, nil
}

func (t *tap) pass(direction string, from, to net.Conn, done chan<- struct{}) {
	defer func() {
		to.(*net.TCPConn).CloseWrite()
		done <- struct{}{}
	}()
	var head []byte
	isHead := true
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			bytes := buffer[:n]
			if _, failed := to.Write(bytes); failed != nil {
				return
			}
			if isHead {
				head = append(head, bytes...)
				_, after, found := strings.Cut(string(head), "\r\n\r\n")
				isHead, bytes = !found, []byte(after)
			}
			if !isHead && len(bytes) > 0 {
				t.notes <- direction + " " + hex.EncodeToString(bytes) + "\n"
			}
		}
		if err != nil {
			return
		}
	}
}

// write ends the tap and keeps what it noted.
func (t *tap) write(folder, name string) error {
	t.listener.Close()
	var all strings.Builder
	for note := range t.notes {
		all.WriteString(note)
	}
	return os.WriteFile(filepath.Join(folder, name+".hex"), []byte(all.String()), 0o644)
}
