package main

import (
	"bufio"
	"bytes"
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

	"github.com/moby/spdystream/spdy"
)

// check says what our clients said to Kubernetes' server, and reads what our servers said with its framer.
func check(server *httptest.Server, folder string) error {
	for _, c := range []struct{ name, path, protocol string }{
		{"ours-exec-client", "/exec?input=1&output=1&error=1", "v4.channel.k8s.io"},
		{"ours-forward-client", "/forward", "portforward.k8s.io"},
	} {
		said, err := read(folder, c.name)
		if err != nil {
			return err
		}
		conn, answer, err := upgrade(server, c.path, c.protocol)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if _, err := conn.Write(said); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		// A server of ports waits for more of them.
		if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if err := frames(c.name+", answered", answer); err != nil {
			return err
		}
		conn.Close()
	}
	for _, name := range []string{"ours-exec-server", "ours-forward-server"} {
		said, err := read(folder, name)
		if err != nil {
			return err
		}
		if err := frames(name, bytes.NewReader(said)); err != nil {
			return err
		}
	}
	return nil
}

func read(folder, name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(folder, name+".hex"))
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
}

func upgrade(server *httptest.Server, path, protocol string) (net.Conn, io.Reader, error) {
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	const request = "POST %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: %s\r\n\r\n"
	if _, err := fmt.Fprintf(conn, request, path, protocol); err != nil {
		return nil, nil, err
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, errors.New(response.Status)
	}
	return conn, reader, nil
}

func frames(name string, from io.Reader) error {
	framer, err := spdy.NewFramer(io.Discard, from)
	if err != nil {
		return err
	}
	for {
		frame, err := framer.ReadFrame()
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		switch frame := frame.(type) {
		case *spdy.DataFrame:
			fmt.Printf("%s: stream %d, flags %d, data %q\n", name, frame.StreamId, frame.Flags, frame.Data)
		case *spdy.SynReplyFrame:
			fmt.Printf("%s: stream %d answered\n", name, frame.StreamId)
		case *spdy.RstStreamFrame:
			fmt.Printf("%s: stream %d reset with %d\n", name, frame.StreamId, frame.Status)
		case *spdy.GoAwayFrame:
			fmt.Printf("%s: goes away after %d\n", name, frame.LastGoodStreamId)
		default:
			fmt.Printf("%s: %T\n", name, frame)
		}
	}
}
