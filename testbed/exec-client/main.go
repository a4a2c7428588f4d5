// Command exec-client runs a command in a pod through client-go, with the executor that it is told, as programs
// other than kubectl do. It exits as the command did.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file of the cluster and the user")
	namespace := flag.String("namespace", "default", "namespace of the pod")
	pod := flag.String("pod", "", "name of the pod")
	container := flag.String("container", "", "name of the container")
	executor := flag.String("executor", "websocket", "websocket, spdy or fallback")
	attach := flag.Bool("attach", false, "attach to the container instead of running a command")
	stdin := flag.Bool("stdin", false, "send standard input")
	tty := flag.Bool("tty", false, "ask for a terminal")
	forward := flag.String("forward", "", "LOCAL:REMOTE: forward a port until standard input ends")
	flag.Parse()
	code, err := run(*kubeconfig, *executor, options{*namespace, *pod, *container, *attach, *stdin, *tty, *forward, flag.Args()})
	if err != nil {
		fmt.Fprintln(os.Stderr, "exec-client:", err)
	}
	os.Exit(code)
}

type options struct {
	namespace, pod, container string
	attach, stdin, tty        bool
	forward                   string
	command                   []string
}

func run(kubeconfig, executor string, o options) (int, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return 2, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return 2, err
	}
	pods := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(o.namespace).Name(o.pod)
	if o.forward != "" {
		return forward(config, executor, pods.SubResource("portforward").URL(), o.forward)
	}
	var target *url.URL
	if o.attach {
		target = pods.SubResource("attach").VersionedParams(&corev1.PodAttachOptions{
			Container: o.container, Stdin: o.stdin, Stdout: true, Stderr: !o.tty, TTY: o.tty,
		}, scheme.ParameterCodec).URL()
	} else {
		target = pods.SubResource("exec").VersionedParams(&corev1.PodExecOptions{
			Container: o.container, Command: o.command, Stdin: o.stdin, Stdout: true, Stderr: !o.tty, TTY: o.tty,
		}, scheme.ParameterCodec).URL()
	}
	chosen, err := newExecutor(config, executor, target)
	if err != nil {
		return 2, err
	}
	streams := remotecommand.StreamOptions{Stdout: os.Stdout, Tty: o.tty}
	if o.stdin {
		streams.Stdin = os.Stdin
	}
	if !o.tty {
		streams.Stderr = os.Stderr
	}
	err = chosen.StreamWithContext(context.Background(), streams)
	var exited exec.CodeExitError
	if errors.As(err, &exited) {
		return exited.Code, nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}

func newExecutor(config *rest.Config, name string, target *url.URL) (remotecommand.Executor, error) {
	websocket, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, target.String())
	if err != nil {
		return nil, err
	}
	overSPDY, err := remotecommand.NewSPDYExecutor(config, http.MethodPost, target)
	if err != nil {
		return nil, err
	}
	switch name {
	case "websocket":
		return websocket, nil
	case "spdy":
		return overSPDY, nil
	case "fallback":
		return remotecommand.NewFallbackExecutor(websocket, overSPDY, httpstream.IsUpgradeFailure)
	}
	return nil, fmt.Errorf("there is no executor %q", name)
}

func forward(config *rest.Config, executor string, target *url.URL, ports string) (int, error) {
	var dialer httpstream.Dialer
	if executor == "spdy" {
		transport, upgrader, err := spdy.RoundTripperFor(config)
		if err != nil {
			return 2, err
		}
		dialer = spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	} else {
		tunneling, err := portforward.NewSPDYOverWebsocketDialer(target, config)
		if err != nil {
			return 2, err
		}
		dialer = tunneling
	}
	stop := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	forwarder, err := portforward.New(dialer, []string{ports}, stop, nil, os.Stdout, os.Stderr)
	if err != nil {
		return 2, err
	}
	if err := forwarder.ForwardPorts(); err != nil {
		return 1, err
	}
	return 0, nil
}
