package iam

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// newAccount makes a service account with a unique id of 21 digits, as Google
// gives.
func (a *Authority) newAccount(email, displayName string) *adminpb.ServiceAccount {
	span := new(big.Int).Exp(big.NewInt(10), big.NewInt(20), nil)
	n, err := rand.Int(rand.Reader, span)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return &adminpb.ServiceAccount{
		Name:           a.projectResource() + "/serviceAccounts/" + email,
		ProjectId:      a.project,
		UniqueId:       "1" + fmt.Sprintf("%020d", n),
		Email:          email,
		DisplayName:    displayName,
		Oauth2ClientId: "1" + fmt.Sprintf("%020d", n),
	}
}

// Account finds a service account by what a request may name it by:
// its email, its unique id, or projects/P/serviceAccounts/{either}, where P may
// be "-". Its error is NOT_FOUND in Google's words.
func (a *Authority) Account(name string) (*adminpb.ServiceAccount, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.account(name)
}

func (a *Authority) account(name string) (*adminpb.ServiceAccount, error) {
	id := name
	if i := strings.LastIndex(name, "serviceAccounts/"); i >= 0 {
		id = name[i+len("serviceAccounts/"):]
	}
	s := a.accounts[id]
	if s == nil {
		for _, other := range a.accounts {
			if other.UniqueId == id {
				s = other
			}
		}
	}
	project, ok := strings.CutPrefix(name, "projects/")
	if p, _, _ := strings.Cut(project, "/"); s == nil || ok && p != "-" && p != a.project && p != a.number {
		return nil, status.Errorf(codes.NotFound, "Service account %s does not exist.", id)
	}
	return proto.Clone(s).(*adminpb.ServiceAccount), nil
}

// usable returns an error unless tokens may be made for a member: an existing,
// enabled service account, or the developer.
func (a *Authority) usable(member string) error {
	if member == Developer {
		return nil
	}
	email, ok := strings.CutPrefix(member, "serviceAccount:")
	if !ok {
		return status.Errorf(codes.InvalidArgument, "%s is no service account.", member)
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	s := a.accounts[email]
	switch {
	case s == nil:
		return status.Errorf(codes.NotFound, "Service account %s does not exist.", email)
	case s.Disabled:
		return status.Errorf(codes.FailedPrecondition, "Service account %s is disabled.", email)
	}
	return nil
}

// changeAccount applies f to a copy of an account and stores it.
func (a *Authority) changeAccount(name string, f func(*adminpb.ServiceAccount) error) (*adminpb.ServiceAccount, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.account(name)
	if err != nil {
		return nil, err
	}
	if err := f(s); err != nil {
		return nil, err
	}
	return proto.Clone(s).(*adminpb.ServiceAccount), a.storeAccount(s)
}

// addAccount creates an account.
func (a *Authority) addAccount(s *adminpb.ServiceAccount) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.accounts[s.Email] != nil {
		return status.Errorf(codes.AlreadyExists, "Service account %s already exists within project %s.", strings.Split(s.Email, "@")[0], a.projectResource())
	}
	return a.storeAccount(s)
}

func (a *Authority) storeAccount(s *adminpb.ServiceAccount) error {
	err := a.db.Update(func(tx *store.Tx) error { return tx.PutProto(tableAccounts, s.Email, s) })
	if err != nil {
		return fmt.Errorf("store service account %s: %w", s.Email, err)
	}
	a.accounts[s.Email] = s
	return nil
}

// removeAccount deletes an account with its keys. Its bindings stay in the
// policies, as they do in Google Cloud.
func (a *Authority) removeAccount(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.account(name)
	if err != nil {
		return err
	}
	var keys []string
	for id, k := range a.keys {
		if k.Email == s.Email {
			keys = append(keys, id)
		}
	}
	err = a.db.Update(func(tx *store.Tx) error {
		for _, id := range keys {
			if err := tx.Delete(tableKeys, id); err != nil {
				return err
			}
		}
		return tx.Delete(tableAccounts, s.Email)
	})
	if err != nil {
		return fmt.Errorf("delete service account %s: %w", s.Email, err)
	}
	for _, id := range keys {
		delete(a.keys, id)
	}
	delete(a.accounts, s.Email)
	return nil
}

// sortedAccounts returns all accounts by email.
func (a *Authority) sortedAccounts() []*adminpb.ServiceAccount {
	a.mu.RLock()
	defer a.mu.RUnlock()
	all := make([]*adminpb.ServiceAccount, 0, len(a.accounts))
	for _, s := range a.accounts {
		all = append(all, proto.Clone(s).(*adminpb.ServiceAccount))
	}
	slices.SortFunc(all, func(x, y *adminpb.ServiceAccount) int { return strings.Compare(x.Email, y.Email) })
	return all
}
