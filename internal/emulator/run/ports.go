package run

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// portAllocator hands out loopback ports for containers. They lie below the
// range that systems use for outgoing connections, lest one of these take a
// port between its choice here and the container's listening on it; and they
// are drawn at random, lest two embedded clouds of one machine choose the same
// at the same time, and one answer for the other.
type portAllocator struct {
	mu   sync.Mutex
	used map[int]bool
}

const firstPort, lastPort = 12000, 32000

// draws is how many ports are tried: with as many in use as out, the chance of
// finding none is less than one in 10^9.
const draws = 32

func (a *portAllocator) take() (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.used == nil {
		a.used = map[int]bool{}
	}
	for range draws {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if !a.used[port] && free(port) {
			a.used[port] = true
			return port, nil
		}
	}
	return 0, errors.New("no free port on the loopback address")
}

func (a *portAllocator) give(port int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, port)
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
