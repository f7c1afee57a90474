// Writes what Go's Avro libraries write: go run . ENVIRONMENT_AVSC KINDS_AVSC
// Prints one line each: library, schema, and in hex the header or, of environment, the whole frame.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/soe"
	"github.com/linkedin/goavro/v2"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	environment, err := os.ReadFile(os.Args[1])
	check(err)
	kinds, err := os.ReadFile(os.Args[2])
	check(err)
	start := time.UnixMilli(1735689600000).UTC()

	hambaReading := func(n int) map[string]any {
		return map[string]any{
			"time":        start.Add(time.Duration(n) * time.Second),
			"temperature": map[string]any{"float": float32(20.5) + float32(n)},
			"humidity":    map[string]any{"float": float32(50)},
			"pressure":    nil,
			"battery":     map[string]any{"float": float32(3.5)},
			"ok":          true,
		}
	}
	codec, err := soe.NewCodec(avro.MustParse(string(environment)))
	check(err)
	frame, err := codec.Encode(map[string]any{"device": nil, "readings": []map[string]any{hambaReading(0), hambaReading(1)}})
	check(err)
	fmt.Printf("Go hamba/avro | environment | %x\n", frame)
	header, err := soe.BuildHeader(avro.MustParse(string(kinds)))
	check(err)
	fmt.Printf("Go hamba/avro | kinds | %x\n", header)

	goavroReading := func(n int) map[string]any {
		return map[string]any{
			"time":        start.Add(time.Duration(n) * time.Second),
			"temperature": goavro.Union("float", float32(20.5)+float32(n)),
			"humidity":    goavro.Union("float", float32(50)),
			"pressure":    nil,
			"battery":     goavro.Union("float", float32(3.5)),
			"ok":          true,
		}
	}
	other, err := goavro.NewCodec(string(environment))
	check(err)
	frame, err = other.SingleFromNative(nil, map[string]any{"device": nil, "readings": []any{goavroReading(0), goavroReading(1)}})
	check(err)
	fmt.Printf("Go goavro | environment | %x\n", frame)
	other, err = goavro.NewCodec(string(kinds))
	check(err)
	fmt.Printf("Go goavro | kinds | %x\n", binary.LittleEndian.AppendUint64([]byte{0xc3, 1}, other.Rabin))
}
