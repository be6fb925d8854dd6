// Submits a PDF, follows it through the topic, and asks where it stands: go run . FILE
//
// INGEST, NOTIFIER, KAFKA, TOPIC and GROUP say where; else it is the local stack.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type accepted struct {
	RequestID string `json:"request_id"`
	Batches   []struct {
		BatchID string `json:"batch_id"`
	} `json:"batches"`
}

type problem struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func main() {
	answer, err := submit(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("submitted", answer.RequestID)
	wanted := map[string]bool{}
	for _, batch := range answer.Batches {
		wanted[batch.BatchID] = true
	}
	if err := consume(context.Background(), wanted); err != nil {
		log.Fatal(err)
	}
	status, err := ended(answer.RequestID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("asked", status, answer.RequestID)
}

// submit gives the answer of a 202. The same key each time: however often this is sent, there is one upload.
func submit(path string) (accepted, error) {
	var answer accepted
	body, contentType, err := form(path)
	if err != nil {
		return answer, err
	}
	key := rand.Text()
	for {
		request, err := http.NewRequest("POST", env("INGEST", "http://127.0.0.1:8001")+"/api/documents/process", bytes.NewReader(body))
		if err != nil {
			return answer, err
		}
		request.Header.Set("Content-Type", contentType)
		request.Header.Set("Idempotency-Key", key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return answer, err
		}
		told, err := io.ReadAll(response.Body)
		response.Body.Close()
		switch {
		case err != nil:
			return answer, err
		case response.StatusCode == http.StatusAccepted:
			return answer, json.Unmarshal(told, &answer)
		case response.StatusCode != http.StatusServiceUnavailable:
			var refused problem
			_ = json.Unmarshal(told, &refused)
			return answer, fmt.Errorf("%d %s: %s", response.StatusCode, refused.Code, refused.Detail)
		}
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		time.Sleep(time.Duration(max(seconds, 1)) * time.Second)
	}
}

func form(path string) ([]byte, string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	part, err := writer.CreateFormFile("files", filepath.Base(path))
	if err == nil {
		_, err = part.Write(content)
	}
	if err == nil {
		err = writer.Close()
	}
	return body.Bytes(), writer.FormDataContentType(), err
}

// consume reads the topic until the batches have ended.
func consume(ctx context.Context, wanted map[string]bool) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(env("KAFKA", "127.0.0.1:9092")),
		kgo.ConsumerGroup(env("GROUP", "integrate-go")),
		kgo.ConsumeTopics(env("TOPIC", "quire.batches")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	seen := map[string]bool{}
	for len(wanted) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			id := header(record, "ce_id")
			if !wanted[string(record.Key)] || seen[id] {
				return
			}
			seen[id] = true
			if isEnd(record) {
				delete(wanted, string(record.Key))
			}
		})
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			return err
		}
	}
	return nil
}

// isEnd says what the event is. The key is the id of the batch; fields that are not known are ignored.
func isEnd(record *kgo.Record) bool {
	kind := header(record, "ce_type")
	switch kind {
	case "quire.file.failed.v1":
		var data problem
		_ = json.Unmarshal(record.Value, &data)
		fmt.Println(kind, string(record.Key), data.Code)
	case "quire.batch.created.v1", "quire.batch.started.v1", "quire.file.processed.v1":
		fmt.Println(kind, string(record.Key))
	case "quire.batch.completed.v1", "quire.batch.failed.v1", "quire.batch.cancel_requested.v1":
		fmt.Println(kind, string(record.Key))
		return true
	} // any other is of a newer Quire, or not of interest
	return false
}

func header(record *kgo.Record, name string) string {
	for _, header := range record.Headers {
		if header.Key == name {
			return string(header.Value)
		}
	}
	return ""
}

// ended asks until the notifier, which reads the same topic, knows of the end, too.
func ended(requestID string) (string, error) {
	for {
		response, err := http.Get(env("NOTIFIER", "http://127.0.0.1:8000") + "/api/requests/" + requestID)
		if err != nil {
			return "", err
		}
		var upload struct {
			Status string `json:"status"`
		}
		err = json.NewDecoder(response.Body).Decode(&upload)
		response.Body.Close()
		if err != nil {
			return "", err
		}
		if upload.Status != "" && upload.Status != "queued" && upload.Status != "processing" {
			return upload.Status, nil
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
