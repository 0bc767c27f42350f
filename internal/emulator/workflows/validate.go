package workflows

import (
	"context"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	workflowspb "cloud.google.com/go/workflows/apiv1/workflowspb"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/kakehi/kakehi/internal/lazyregexp"
)

// validate checks all of w but its source, and gives the service account its
// full name. Limits: quotas.json.
func (s *Service) validate(w *workflowspb.Workflow) error {
	q := s.quotas
	source := w.GetSourceContents()
	switch {
	case source == "":
		return invalid("workflow.source_contents", "is required")
	case len(source) > q.SourceBytes:
		return invalid("workflow.source_contents", "has %d bytes; the limit is %d", len(source), q.SourceBytes)
	case !utf8.ValidString(source):
		return invalid("workflow.source_contents", "is not UTF-8")
	case utf8.RuneCountInString(w.Description) > q.DescriptionChars:
		return invalid("workflow.description", "has more than %d characters", q.DescriptionChars)
	case w.CryptoKeyName != "" && !cryptoKey.MatchString(w.CryptoKeyName):
		return invalid("workflow.crypto_key_name", "%q is not projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY", w.CryptoKeyName)
	case !known(w.CallLogLevel):
		return invalid("workflow.call_log_level", "%d is not a level", w.CallLogLevel)
	case !known(w.ExecutionHistoryLevel):
		return invalid("workflow.execution_history_level", "%d is not a level", w.ExecutionHistoryLevel)
	}
	if err := q.checkLabels("workflow.labels", w.Labels); err != nil {
		return err
	}
	if err := q.checkUserEnvVars(w.UserEnvVars); err != nil {
		return err
	}
	account, err := s.serviceAccount(w.ServiceAccount)
	if err != nil {
		return err
	}
	w.ServiceAccount = account
	return nil
}

// cryptoKey is the form of a key's name; the project may be left out. The
// embedded cloud has no Cloud KMS: it keeps the name and encrypts nothing.
var cryptoKey = lazyregexp.New(`^(projects/[^/]+/)?locations/[^/]+/keyRings/[A-Za-z0-9_-]+/cryptoKeys/[A-Za-z0-9_-]+$`)

// known reports whether an enum has one of its values.
func known(e protoreflect.Enum) bool {
	return e.Descriptor().Values().ByNumber(e.Number()) != nil
}

func (q quotas) checkLabels(field string, labels map[string]string) error {
	if len(labels) > q.Labels {
		return invalid(field, "has %d entries; the limit is %d", len(labels), q.Labels)
	}
	for _, key := range sortedKeys(labels) {
		first, _ := utf8.DecodeRuneInString(key)
		switch {
		case key == "" || !unicode.IsLetter(first):
			return invalid(field, "key %q must start with a letter", key)
		case !q.labelText(key):
			return invalid(field, "key %q must have at most %d lowercase letters, digits, underscores and dashes", key, q.LabelChars)
		case !q.labelText(labels[key]):
			return invalid(field, "value %q of %q must have at most %d lowercase letters, digits, underscores and dashes", labels[key], key, q.LabelChars)
		}
	}
	return nil
}

// labelText allows international letters, as the service does.
func (q quotas) labelText(s string) bool {
	if utf8.RuneCountInString(s) > q.LabelChars {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && r != '-' && !unicode.IsDigit(r) && (!unicode.IsLetter(r) || unicode.IsUpper(r))
	}) < 0
}

func (q quotas) checkUserEnvVars(vars map[string]string) error {
	const field = "workflow.user_env_vars"
	if len(vars) > q.UserEnvVars {
		return invalid(field, "has %d entries; the limit is %d", len(vars), q.UserEnvVars)
	}
	for _, key := range sortedKeys(vars) {
		switch {
		case key == "":
			return invalid(field, "a key is empty")
		case strings.HasPrefix(key, "GOOGLE") || strings.HasPrefix(key, "WORKFLOWS"):
			return invalid(field, "key %q must not start with GOOGLE or WORKFLOWS", key)
		case len(key) > q.UserEnvVarBytes || len(vars[key]) > q.UserEnvVarBytes:
			return invalid(field, "%.40q has more than %d bytes", key, q.UserEnvVarBytes)
		}
	}
	return nil
}

// serviceAccount finds the account that a workflow names, or the default one,
// and returns its full name.
func (s *Service) serviceAccount(name string) (string, error) {
	if name == "" {
		name = s.opts.DefaultServiceAccount
	}
	account, err := s.opts.Auth.Account(name)
	if err != nil {
		return "", err
	}
	return account.Name, nil
}

// email of the service account that a workflow runs as.
func email(w *workflowspb.Workflow) string {
	return w.ServiceAccount[strings.LastIndexByte(w.ServiceAccount, '/')+1:]
}

// actAs checks that the caller may run code as the workflow's account.
func (s *Service) actAs(ctx context.Context, w *workflowspb.Workflow) error {
	return s.opts.Auth.Require(ctx, "iam.serviceAccounts.actAs", w.ServiceAccount)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
