package storage

import (
	"encoding/base64"
	"net/http"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
)

// policyJSON is the JSON form of a bucket's IAM policy, which is Storage's own.
type policyJSON struct {
	Kind       string    `json:"kind"`
	ResourceID string    `json:"resourceId"`
	Version    int32     `json:"version"`
	ETag       string    `json:"etag"`
	Bindings   []binding `json:"bindings"`
}

type binding struct {
	Role      string   `json:"role"`
	Members   []string `json:"members"`
	Condition any      `json:"condition,omitempty"`
}

// policy serves /b/BUCKET/iam and /b/BUCKET/iam/testPermissions.
func (s *Service) policy(w http.ResponseWriter, r *http.Request, bucket string, rest []string) error {
	if _, err := s.bucketDir(bucket); err != nil {
		return err
	}
	switch {
	case r.Method == http.MethodGet && len(rest) == 1 && rest[0] == "testPermissions":
		granted := s.auth.Granted(r.Context(), bucketResource(bucket), r.URL.Query()["permissions"])
		writeJSON(w, http.StatusOK, map[string]any{"kind": "storage#testIamPermissionsResponse", "permissions": granted})
		return nil
	case r.Method == http.MethodGet && len(rest) == 0:
		if err := s.require(r, "storage.buckets.getIamPolicy", bucket); err != nil {
			return err
		}
		p, err := s.auth.Policy(bucketResource(bucket))
		if err != nil {
			return err
		}
		writePolicy(w, bucket, p)
		return nil
	case r.Method == http.MethodPut && len(rest) == 0:
		if err := s.require(r, "storage.buckets.setIamPolicy", bucket); err != nil {
			return err
		}
		return s.setPolicy(w, r, bucket)
	}
	return errNoMethod(r)
}

func (s *Service) setPolicy(w http.ResponseWriter, r *http.Request, bucket string) error {
	body, err := readBody(r.Body)
	if err != nil {
		return err
	}
	var in policyJSON
	if err := parseBody(body, &in); err != nil {
		return err
	}
	p := &iampb.Policy{Version: in.Version}
	etag := urlSafe.Replace(in.ETag) // gcloud gives it back in the other alphabet
	if p.Etag, err = base64.StdEncoding.DecodeString(etag); err != nil {
		return invalid("Invalid etag %q.", in.ETag)
	}
	for _, b := range in.Bindings {
		if b.Condition != nil {
			return invalid("The binding of %s has a condition; this embedded cloud does not evaluate IAM conditions.", b.Role)
		}
		p.Bindings = append(p.Bindings, &iampb.Binding{Role: b.Role, Members: b.Members})
	}
	if p, err = s.auth.SetPolicy(bucketResource(bucket), p); err != nil {
		return err
	}
	writePolicy(w, bucket, p)
	return nil
}

var urlSafe = strings.NewReplacer("-", "+", "_", "/")

func writePolicy(w http.ResponseWriter, bucket string, p *iampb.Policy) {
	out := policyJSON{
		Kind: "storage#policy", ResourceID: bucketResource(bucket), Version: max(p.Version, 1),
		ETag: base64.StdEncoding.EncodeToString(p.Etag), Bindings: []binding{},
	}
	for _, b := range p.Bindings {
		out.Bindings = append(out.Bindings, binding{Role: b.Role, Members: b.Members})
	}
	writeJSON(w, http.StatusOK, out)
}
