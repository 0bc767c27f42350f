package iam

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// rolesFile holds the predefined roles that the imitated services ask for,
// with its source and date.
//
//go:embed roles.json
var rolesFile []byte

// role is a predefined role. In its permissions * stands for any text: basic
// roles have thousands, and a * keeps them short.
type role struct {
	Title       string   `json:"title"`
	Permissions []string `json:"permissions"`
	Except      []string `json:"except"`
}

func loadRoles() (map[string]role, error) {
	var file struct {
		Roles map[string]role `json:"roles"`
	}
	if err := json.Unmarshal(rolesFile, &file); err != nil {
		return nil, fmt.Errorf("read the table of roles: %w", err)
	}
	return file.Roles, nil
}

func (r role) has(permission string) bool {
	return matchAny(r.Permissions, permission) && !matchAny(r.Except, permission)
}

func matchAny(patterns []string, permission string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if !strings.Contains(p, "*") {
			return p == permission
		}
		ok, err := path.Match(p, permission)
		return ok && err == nil
	})
}
