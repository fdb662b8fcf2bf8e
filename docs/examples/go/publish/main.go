// Publish one document to Roggia, or delete it.
//
//	publish BOOTSTRAP REGISTRY TENANT DOMAIN DOC_ID REVISION (FILE | --delete)
package main

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/confluentinc/confluent-kafka-go/kafka"
	"github.com/linkedin/goavro/v2"
)

type registered struct {
	ID     uint32 `json:"id"`
	Schema string `json:"schema"`
}

func main() {
	bootstrap, registry, tenant, domain, docID := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	revision, err := strconv.ParseInt(os.Args[6], 10, 64)
	check(err)
	eventID := newID() // a retry must send the same id: make it once per change
	event := map[string]interface{}{
		"event_id": eventID, "occurred_at": time.Now(), "tenant_id": tenant, "domain": domain, "doc_id": docID,
		"revision": revision, "operation": "DELETE", "content_type": nil, "content": nil, "content_ref": nil,
		"title": nil, "source": nil, "language": nil, "acl": []interface{}{}, "created_at": nil, "expires_at": nil,
		"metadata": map[string]interface{}{},
	}
	if os.Args[7] != "--delete" {
		content, err := os.ReadFile(os.Args[7])
		check(err)
		event["operation"] = "UPSERT"
		event["content_type"] = goavro.Union("string", "text/markdown")
		event["content"] = goavro.Union("bytes", content)
		event["acl"] = []interface{}{"staff"}
	}

	producer, err := kafka.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers":  bootstrap,
		"acks":               "all",
		"enable.idempotence": true,
		"partitioner":        "murmur2_random", // librdkafka's default puts keys elsewhere than Java does
	})
	check(err)
	defer producer.Close()
	topic, done := "doc.changed", make(chan kafka.Event, 1)
	check(producer.Produce(&kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
		Key:            []byte(tenant + "/" + docID),
		Value:          encode(latest(registry, "doc.changed-value"), event),
		Headers: []kafka.Header{
			{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_type", Value: []byte("roggia.doc.changed")},
			{Key: "ce_source", Value: []byte("/example/go")}, {Key: "ce_id", Value: []byte(eventID)},
			{Key: "content-type", Value: []byte("application/vnd.apache.avro")},
		},
	}, done))
	check((<-done).(*kafka.Message).TopicPartition.Error)
}

func latest(registry, subject string) registered {
	answer, err := http.Get(registry + "/subjects/" + subject + "/versions/latest")
	check(err)
	defer answer.Body.Close()
	var found registered
	check(json.NewDecoder(answer.Body).Decode(&found))
	if answer.StatusCode != http.StatusOK {
		log.Fatalf("%s: the registry answers %s", subject, answer.Status)
	}
	return found
}

func encode(schema registered, event map[string]interface{}) []byte {
	codec, err := goavro.NewCodec(schema.Schema)
	check(err)
	frame := make([]byte, 5) // a zero byte, then the schema id
	binary.BigEndian.PutUint32(frame[1:], schema.ID)
	value, err := codec.BinaryFromNative(frame, event)
	check(err)
	return value
}

func newID() string {
	var b [16]byte
	_, err := rand.Read(b[:])
	check(err)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
