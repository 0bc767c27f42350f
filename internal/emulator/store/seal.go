package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// anchor is a key that every table has and that nobody sees, so that a table,
// or a page of one, is never empty by right.
var anchor = []byte{0}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumSize = 4

// seal appends to a value a checksum of it and of where it belongs.
func seal(table, key, v []byte) []byte {
	sealed := make([]byte, len(v), len(v)+sumSize)
	copy(sealed, v)
	return binary.LittleEndian.AppendUint32(sealed, sum(table, key, v))
}

// unseal returns the value, which it does not copy.
func unseal(table, key, sealed []byte) ([]byte, error) {
	n := len(sealed) - sumSize
	if n < 0 || binary.LittleEndian.Uint32(sealed[n:]) != sum(table, key, sealed[:n]) {
		return nil, fmt.Errorf("the value of %q in table %q has another checksum", key, table)
	}
	return sealed[:n:n], nil
}

func sum(table, key, v []byte) uint32 {
	var length [8]byte
	binary.LittleEndian.PutUint32(length[:], uint32(len(table)))
	binary.LittleEndian.PutUint32(length[4:], uint32(len(key)))
	c := crc32.Update(0, castagnoli, length[:])
	for _, part := range [][]byte{table, key, v} {
		c = crc32.Update(c, castagnoli, part)
	}
	return c
}
