package run

import (
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// Tables of the database. Keys are resource names.
const (
	servicesTable  = "run.services"
	revisionsTable = "run.revisions"
	stateTable     = "run.state"
)

// state is what the service keeps beside the API's own fields.
type state struct {
	// Revisions counts those ever created; it numbers generated names.
	Revisions int `json:"revisions"`
	// Operation is the last one; it is unfinished while the service reconciles.
	Operation string `json:"operation,omitempty"`
}

func (s *Service) loadServices() ([]*runpb.Service, error) { return s.scanServices("") }

// scanServices reads the services whose name begins with the prefix.
func (s *Service) scanServices(prefix string) (list []*runpb.Service, err error) {
	err = s.DB.View(func(tx *store.Tx) error {
		return scan(tx, servicesTable, prefix, func() *runpb.Service { return &runpb.Service{} },
			func(svc *runpb.Service) { list = append(list, svc) })
	})
	return list, err
}

// scanRevisions reads the revisions whose name begins with the prefix.
func (s *Service) scanRevisions(prefix string) (list []*runpb.Revision, err error) {
	err = s.DB.View(func(tx *store.Tx) error {
		return scan(tx, revisionsTable, prefix, func() *runpb.Revision { return &runpb.Revision{} },
			func(rev *runpb.Revision) { list = append(list, rev) })
	})
	return list, err
}

func scan[M proto.Message](tx *store.Tx, table, prefix string, empty func() M, take func(M)) error {
	var err error
	tx.Scan(table, prefix, func(key string, v []byte) bool {
		m := empty()
		if err = proto.Unmarshal(v, m); err != nil {
			err = fmt.Errorf("%s/%s is damaged: %w", table, key, err)
			return false
		}
		take(m)
		return true
	})
	return err
}

// readService returns nil if there is none.
func readService(tx *store.Tx, n serviceName) (*runpb.Service, error) {
	svc := &runpb.Service{}
	err := tx.GetProto(servicesTable, n.String(), svc)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return svc, err
}

func (s *Service) service(n serviceName) (svc *runpb.Service, err error) {
	err = s.DB.View(func(tx *store.Tx) error {
		svc, err = readService(tx, n)
		return err
	})
	if err == nil && svc == nil {
		return nil, n.notFound()
	}
	return svc, err
}

// readRevision returns nil if there is none.
func readRevision(tx *store.Tx, name string) (*runpb.Revision, error) {
	rev := &runpb.Revision{}
	err := tx.GetProto(revisionsTable, name, rev)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return rev, err
}

// revision reads one by its full name.
func (s *Service) revision(name string) (rev *runpb.Revision, err error) {
	err = s.DB.View(func(tx *store.Tx) error {
		rev, err = readRevision(tx, name)
		return err
	})
	if err == nil && rev == nil {
		return nil, status.Errorf(codes.NotFound, "Revision '%s' does not exist.", lastSegment(name))
	}
	return rev, err
}

func readState(tx *store.Tx, n serviceName) (state, error) {
	var st state
	err := tx.GetJSON(stateTable, n.String(), &st)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return st, err
}

// countRevision notes that one more revision was made.
func countRevision(tx *store.Tx, n serviceName) error {
	st, err := readState(tx, n)
	if err != nil {
		return err
	}
	st.Revisions++
	return tx.PutJSON(stateTable, n.String(), st)
}

// pendingOperation returns the last operation of a service.
func (s *Service) pendingOperation(service string) (op string, err error) {
	err = s.DB.View(func(tx *store.Tx) error {
		n, err := s.parseService(service)
		if err != nil {
			return err
		}
		st, err := readState(tx, n)
		op = st.Operation
		return err
	})
	return op, err
}

func (s *Service) setOperation(n serviceName, op string) error {
	return s.DB.Update(func(tx *store.Tx) error {
		st, err := readState(tx, n)
		if err != nil {
			return err
		}
		st.Operation = op
		return tx.PutJSON(stateTable, n.String(), st)
	})
}

// deleteAll removes a service with its revisions.
func deleteAll(tx *store.Tx, n serviceName) error {
	prefix := n.String() + "/revisions/"
	var keys []string
	tx.Scan(revisionsTable, prefix, func(key string, _ []byte) bool {
		keys = append(keys, strings.Clone(key))
		return true
	})
	for _, key := range keys {
		if err := tx.Delete(revisionsTable, key); err != nil {
			return err
		}
	}
	return errors.Join(tx.Delete(servicesTable, n.String()), tx.Delete(stateTable, n.String()))
}
