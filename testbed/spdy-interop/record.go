package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
)

func record(server *httptest.Server, folder string) error {
	commands := []struct {
		name, protocol string
		tty            bool
	}{
		{"exec-v4", "v4.channel.k8s.io", false},
		{"exec-v4-terminal", "v4.channel.k8s.io", true},
		{"exec-v2", "v2.channel.k8s.io", false},
		{"exec-v1", "channel.k8s.io", false},
	}
	for _, c := range commands {
		if err := recordCommand(server, folder, c.name, c.protocol, c.tty); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return recordForward(server, folder)
}

// size is one size of a terminal.
type size struct {
	sizes chan remotecommand.TerminalSize
}

func (s size) Next() *remotecommand.TerminalSize {
	next, open := <-s.sizes
	if !open {
		return nil
	}
	return &next
}

func transports(t *tap, path, query string) (http.RoundTripper, spdy.Upgrader, *url.URL, error) {
	transport, upgrader, err := spdy.RoundTripperFor(&rest.Config{Host: "http://" + t.listener.Addr().String()})
	target := &url.URL{Scheme: "http", Host: t.listener.Addr().String(), Path: path, RawQuery: query}
	return transport, upgrader, target, err
}

func recordCommand(server *httptest.Server, folder, name, protocol string, tty bool) error {
	t, err := newTap(server)
	if err != nil {
		return err
	}
	query := "input=1&output=1&error=1"
	options := remotecommand.StreamOptions{Stdin: bytes.NewBufferString("hello\n"), Stdout: io.Discard, Stderr: io.Discard, Tty: tty}
	if tty {
		query = "input=1&output=1&tty=1"
		sizes := size{make(chan remotecommand.TerminalSize, 1)}
		sizes.sizes <- remotecommand.TerminalSize{Width: 100, Height: 30}
		defer close(sizes.sizes)
		options.Stderr, options.TerminalSizeQueue = nil, sizes
	}
	if protocol == "channel.k8s.io" {
		// Version 1 never ends stdin.
		query, options.Stdin = "output=1&error=1", nil
	}
	transport, upgrader, target, err := transports(t, "/exec", query)
	if err != nil {
		return err
	}
	executor, err := remotecommand.NewSPDYExecutorForProtocols(transport, upgrader, "POST", target, protocol)
	if err != nil {
		return err
	}
	fmt.Printf("%s: client-go says %v\n", name, executor.StreamWithContext(context.Background(), options))
	return t.write(folder, name)
}

// recordForward sends through one port that answers, and one that does not.
func recordForward(server *httptest.Server, folder string) error {
	t, err := newTap(server)
	if err != nil {
		return err
	}
	transport, upgrader, target, err := transports(t, "/forward", "")
	if err != nil {
		return err
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", target)
	stop, ready := make(chan struct{}), make(chan struct{})
	var said bytes.Buffer
	forwarder, err := portforward.New(dialer, []string{"0:80", "0:81"}, stop, ready, io.Discard, &said)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	<-ready
	forwarded, err := forwarder.GetPorts()
	if err != nil {
		return err
	}
	for _, port := range forwarded {
		answer, err := ask(port.Local)
		fmt.Printf("forward: port %d answered %q, %v\n", port.Remote, answer, err)
	}
	close(stop)
	fmt.Printf("forward: client-go says %v %q\n", <-ended, said.String())
	return t.write(folder, "forward")
}

func ask(port uint16) (string, error) {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("ping")); err != nil {
		return "", err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}
