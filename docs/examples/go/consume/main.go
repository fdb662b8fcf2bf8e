// Follow doc.upserted: what has become searchable, or is gone. Ends after COUNT events.
//
//	consume BOOTSTRAP REGISTRY GROUP COUNT
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"

	"github.com/confluentinc/confluent-kafka-go/kafka"
	"github.com/linkedin/goavro/v2"
)

func main() {
	bootstrap, registry, group := os.Args[1], os.Args[2], os.Args[3]
	left, err := strconv.Atoi(os.Args[4])
	check(err)
	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers":  bootstrap,
		"group.id":           group,
		"isolation.level":    "read_committed",
		"auto.offset.reset":  "earliest",
		"enable.auto.commit": false,
	})
	check(err)
	defer consumer.Close()
	check(consumer.Subscribe("doc.upserted", nil))
	codecs := map[uint32]*goavro.Codec{}
	for left > 0 {
		message, err := consumer.ReadMessage(-1)
		check(err)
		event := decode(registry, message.Value, codecs)
		line := map[string]interface{}{"key": string(message.Key), "replayed": replayed(message.Headers)}
		for _, name := range []string{"event_id", "revision", "deleted", "chunks"} {
			line[name] = event[name]
		}
		shown, err := json.Marshal(line)
		check(err)
		fmt.Println(string(shown))
		_, err = consumer.CommitMessage(message) // after the event is dealt with, never before
		check(err)
		left--
	}
}

// A replayed event tells nothing new: count by event_id, and bill or notify only where this header is absent.
func replayed(headers []kafka.Header) bool {
	for _, header := range headers {
		if header.Key == "roggia_replay_job" {
			return true
		}
	}
	return false
}

func decode(registry string, value []byte, codecs map[uint32]*goavro.Codec) map[string]interface{} {
	if len(value) < 5 || value[0] != 0 {
		log.Fatal("not in Confluent's wire format")
	}
	id := binary.BigEndian.Uint32(value[1:5])
	if codecs[id] == nil {
		codecs[id] = schema(registry, id)
	}
	event, _, err := codecs[id].NativeFromBinary(value[5:])
	check(err)
	return event.(map[string]interface{})
}

func schema(registry string, id uint32) *goavro.Codec {
	answer, err := http.Get(fmt.Sprintf("%s/schemas/ids/%d", registry, id))
	check(err)
	defer answer.Body.Close()
	var found struct{ Schema string }
	check(json.NewDecoder(answer.Body).Decode(&found))
	codec, err := goavro.NewCodec(found.Schema)
	check(err)
	return codec
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
