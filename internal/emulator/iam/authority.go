package iam

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/protobuf/proto"

	"github.com/kakehi/kakehi/internal/emulator/store"
)

// Developer is who calls the embedded cloud from its own machine without a
// token: the owner of the project.
const Developer = "user:developer@localhost"

// Tables of the database.
const (
	tableAccounts = "iam.accounts" // email → adminpb.ServiceAccount
	tablePolicies = "iam.policies" // resource → iampb.Policy
	tableKeys     = "iam.keys"     // key id → accountKey, as JSON
	tableSecrets  = "iam.secrets"  // name → bytes
)

// Authority knows who exists in the project, what they may do, and which
// tokens are theirs. Its methods may be called concurrently.
type Authority struct {
	// Region is the region that the metadata server reports.
	Region string

	db      *store.DB
	project string
	number  string
	sealKey [32]byte // seals access tokens
	signKey func() (*rsa.PrivateKey, error)
	roles   map[string]role

	mu        sync.RWMutex
	accounts  map[string]*adminpb.ServiceAccount // by email; never changed in place
	policies  map[string]*iampb.Policy           // by resource; never changed in place
	keys      map[string]accountKey              // by key id
	developer string                             // the developer's token
	tokenURI  string                             // where service-account keys exchange their tokens
}

// Open loads the identities of a project. On the first start of a data
// directory it creates the project's service accounts and their roles; what a
// user removes later is not added again.
func Open(db *store.DB, project, number string) (*Authority, error) {
	roles, err := loadRoles()
	if err != nil {
		return nil, err
	}
	a := &Authority{
		Region:  "us-central1",
		db:      db,
		project: project, number: number,
		roles:    roles,
		accounts: map[string]*adminpb.ServiceAccount{},
		policies: map[string]*iampb.Policy{},
		keys:     map[string]accountKey{},
		tokenURI: googleTokenURI,
	}
	a.signKey = sync.OnceValues(a.loadSignKey)
	if err := a.load(); err != nil {
		return nil, fmt.Errorf("load identities: %w", err)
	}
	return a, nil
}

// Project returns the project's id and number.
func (a *Authority) Project() (id, number string) { return a.project, a.number }

func (a *Authority) load() error {
	seeded := false
	err := a.db.View(func(tx *store.Tx) error {
		if _, err := tx.Get(tableSecrets, "seal"); errors.Is(err, store.ErrNotFound) {
			return nil
		}
		seeded = true
		return a.read(tx)
	})
	if err != nil || seeded {
		return err
	}
	return a.db.Update(a.seed)
}

func (a *Authority) read(tx *store.Tx) error {
	seal, err := tx.Get(tableSecrets, "seal")
	if err != nil {
		return err
	}
	if copy(a.sealKey[:], seal) != len(a.sealKey) {
		return errors.New("the key of the access tokens is damaged")
	}
	developer, err := tx.Get(tableSecrets, "developer")
	if err != nil {
		return err
	}
	a.developer = string(developer)
	if err := scanProtos(tx, tableAccounts, a.accounts); err != nil {
		return err
	}
	if err := scanProtos(tx, tablePolicies, a.policies); err != nil {
		return err
	}
	return a.readKeys(tx)
}

// scanProtos reads a table of messages into a map.
func scanProtos[T any, M interface {
	*T
	proto.Message
}](tx *store.Tx, table string, into map[string]M) error {
	var failed error
	tx.Scan(table, "", func(key string, v []byte) bool {
		m := M(new(T))
		if err := proto.Unmarshal(v, m); err != nil {
			failed = fmt.Errorf("%s/%s is damaged: %w", table, key, err)
			return false
		}
		into[key] = m
		return true
	})
	return failed
}

// seed writes what a new project starts with.
func (a *Authority) seed(tx *store.Tx) error {
	if _, err := rand.Read(a.sealKey[:]); err != nil {
		return err
	}
	if err := tx.Put(tableSecrets, "seal", a.sealKey[:]); err != nil {
		return err
	}
	a.developer = accessTokenPrefix + rand.Text() + rand.Text()
	if err := tx.Put(tableSecrets, "developer", []byte(a.developer)); err != nil {
		return err
	}
	members := map[string][]string{"roles/owner": {Developer}}
	for _, s := range a.seededAccounts() {
		account := a.newAccount(s.email, s.name)
		a.accounts[s.email] = account
		if err := tx.PutProto(tableAccounts, s.email, account); err != nil {
			return err
		}
		for _, r := range s.roles {
			members[r] = append(members[r], "serviceAccount:"+s.email)
		}
	}
	policy := &iampb.Policy{Version: 1}
	for _, r := range slices.Sorted(maps.Keys(members)) {
		policy.Bindings = append(policy.Bindings, &iampb.Binding{Role: r, Members: members[r]})
	}
	policy.Etag = policyEtag(policy)
	a.policies[a.projectResource()] = policy
	return tx.PutProto(tablePolicies, a.projectResource(), policy)
}

type seededAccount struct {
	email, name string
	roles       []string
}

// seededAccounts are the accounts of a new project. The default Compute Engine
// account is the editor that it is in a new Google Cloud project outside an
// organization.
func (a *Authority) seededAccounts() []seededAccount {
	return []seededAccount{
		{a.email("workflows"), "Workflows", []string{
			"roles/aiplatform.user", "roles/run.developer", "roles/run.invoker", "roles/storage.objectUser",
			"roles/logging.logWriter", "roles/iam.serviceAccountUser", "roles/workflows.invoker"}},
		{a.email("steps"), "Pipeline steps", []string{
			"roles/storage.objectUser", "roles/run.invoker", "roles/logging.viewer", "roles/run.viewer"}},
		{a.email("trainer"), "Training jobs", []string{"roles/storage.objectUser"}},
		{a.email("serving"), "Model servers", []string{"roles/storage.objectViewer"}},
		{a.number + "-compute@developer.gserviceaccount.com", "Default compute service account", []string{"roles/editor"}},
	}
}

// email is the address of one of the project's own service accounts.
func (a *Authority) email(id string) string {
	return id + "@" + a.project + ".iam.gserviceaccount.com"
}

func (a *Authority) projectResource() string { return "projects/" + a.project }

// DeveloperToken returns the access token of the developer. It stays valid as
// long as the data directory: it stands for the developer's login, and a file
// that holds it can be given to gcloud.
func (a *Authority) DeveloperToken() string { return a.developer }

func hashOf(s string) [32]byte { return sha256.Sum256([]byte(s)) }

// memberOf is the IAM member with an email address; a member is itself.
func memberOf(email string) string {
	if strings.Contains(email, ":") {
		return email
	}
	if strings.HasSuffix(email, ".gserviceaccount.com") {
		return "serviceAccount:" + email
	}
	return "user:" + email
}

// emailOf is the address of a member such as user:a@b, or "" when it has none.
func emailOf(member string) string {
	kind, email, _ := strings.Cut(member, ":")
	if kind != "user" && kind != "serviceAccount" {
		return ""
	}
	return email
}
