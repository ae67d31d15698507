// A second implementation of ttrpc, containerd's own, on either side of ours.
//
//	ttrpc-peer serve SOCKET    serves api.GetResourceService until its standard input ends; prints "ready"
//	ttrpc-peer call SOCKET     calls one; prints a JSON object of what came back
//
// GetResourceRequest is a string in field 1 and GetResourceResponse bytes in field 1, as the well-known wrappers are.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const service = "api.GetResourceService"

func main() {
	var err error
	switch os.Args[1] {
	case "serve":
		err = serve(os.Args[2])
	case "call":
		err = call(os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(socket string) error {
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	server.RegisterService(service, &ttrpc.ServiceDesc{Methods: map[string]ttrpc.Method{"GetResource": answer}})
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go server.Serve(context.Background(), listener)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return server.Close()
}

// answer does what the path says: "size N", "wait MILLISECONDS", "code N MESSAGE".
func answer(ctx context.Context, unmarshal func(interface{}) error) (interface{}, error) {
	var request wrapperspb.StringValue
	if err := unmarshal(&request); err != nil {
		return nil, err
	}
	verb, rest, _ := strings.Cut(request.Value, " ")
	first, message, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(first)
	if err != nil {
		return nil, err
	}
	switch verb {
	case "size":
		return wrapperspb.Bytes(bytes.Repeat([]byte{7}, n)), nil
	case "wait":
		select {
		case <-time.After(time.Duration(n) * time.Millisecond):
			return wrapperspb.Bytes([]byte(first)), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	default:
		return nil, status.Error(codes.Code(n), message)
	}
}

type outcome struct {
	Code    int    `json:"code"`
	Message string `json:"message,omitempty"`
	Size    int    `json:"size"`
}

func call(socket string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	client := ttrpc.NewClient(conn)
	defer client.Close()
	ask := func(service, method, path string, timeout time.Duration) outcome {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		var response wrapperspb.BytesValue
		err := client.Call(ctx, service, method, wrapperspb.String(path), &response)
		if err != nil && ctx.Err() == nil {
			return outcome{Code: int(status.Code(err)), Message: status.Convert(err).Message()}
		}
		if err != nil {
			return outcome{Code: int(codes.DeadlineExceeded)}
		}
		return outcome{Size: len(response.Value)}
	}
	answers := map[string]interface{}{
		"small":         ask(service, "GetResource", "size 1024", time.Minute),
		"large":         ask(service, "GetResource", "size 4000000", time.Minute),
		"refused":       ask(service, "GetResource", "refuse", time.Minute),
		"broken":        ask(service, "GetResource", "break", time.Minute),
		"late":          ask(service, "GetResource", "wait 5000", 50*time.Millisecond),
		"unknownMethod": ask(service, "Nothing", "", time.Minute),
		"oversize":      ask(service, "GetResource", strings.Repeat("x", 4<<20), time.Minute),
	}
	var waiting sync.WaitGroup
	var lock sync.Mutex
	right := 0
	for i := 0; i < 100; i++ {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			got := ask(service, "GetResource", fmt.Sprintf("size %d", i), time.Minute)
			lock.Lock()
			defer lock.Unlock()
			if got.Code == 0 && got.Size == i {
				right++
			}
		}()
	}
	waiting.Wait()
	answers["concurrentRight"] = right
	return json.NewEncoder(os.Stdout).Encode(answers)
}
