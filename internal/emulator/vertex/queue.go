package vertex

import (
	"fmt"
	"slices"
	"strings"

	pb "cloud.google.com/go/aiplatform/apiv1/aiplatformpb"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// live returns the job if it has not ended.
func (s *jobServer) live(n name) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[n.key()]
}

// enqueue starts a stored job when there is room.
func (s *jobServer) enqueue(j *job) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return // the next process starts it
	}
	s.jobs[j.name.key()] = j
	s.queue = append(s.queue, j)
	s.mu.Unlock()
	s.schedule()
}

// dequeue takes j out of the queue and reports whether it was there.
func (s *jobServer) dequeue(j *job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, j)
	if i < 0 {
		return false
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	return true
}

func (s *jobServer) forget(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.jobs, j.name.key())
}

// schedule starts queued jobs, first come first served.
func (s *jobServer) schedule() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed && len(s.queue) > 0 && s.running < s.MaxRunning {
		j := s.queue[0]
		s.queue = s.queue[1:]
		s.running++
		s.ended.Go(func() {
			j.run()
			s.mu.Lock()
			delete(s.jobs, j.name.key())
			s.running--
			s.mu.Unlock()
			s.schedule()
		})
	}
}

// Resume starts the jobs that an earlier process left unfinished. The
// processes of those that ran ended with it, so they run again from the start,
// under the same id, as when Vertex AI moves a worker to another machine. Call
// it once the embedded cloud can be reached.
func (s *jobServer) Resume() error {
	var left []*job
	err := s.DB.View(func(tx *store.Tx) error {
		var keys []string
		tx.Scan(tableUnfinished, "", func(key string, _ []byte) bool {
			keys = append(keys, key)
			return true
		})
		for _, key := range keys {
			message := &pb.CustomJob{}
			if err := tx.GetProto(tableJobs, key, message); err != nil {
				return err
			}
			region, id, _ := strings.Cut(key, "/")
			left = append(left, s.newJob(name{region, jobCollection, id}, message))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("resume custom jobs: %w", err)
	}
	slices.SortStableFunc(left, func(a, b *job) int { return strings.Compare(a.name.id, b.name.id) })
	for _, j := range left {
		if j.message().State == pb.JobState_JOB_STATE_CANCELLING {
			j.finish(pb.JobState_JOB_STATE_CANCELLED, cancelledStatus())
			continue
		}
		s.enqueue(j)
	}
	return nil
}
