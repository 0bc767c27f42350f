package stdlib

import (
	"encoding/base64"
	"net/http"
	"net/url"

	"github.com/kakehi/kakehi/internal/interp"
	"github.com/kakehi/kakehi/internal/value"
)

// secrets are the helpers of the Secret Manager connector: its methods with the
// data as it is. They may be called in expressions.
//
// Source: cloud.google.com/workflows/docs/reference/googleapis/secretmanager.
var secrets = []Entry{
	secretHelper("versions.accessRaw", `("key", "latest")`, accessSecret(decodeSecret), 1, "secret_id", "version", "project_id"),
	secretHelper("versions.accessString", `("key", "latest")`, accessSecret(decodeSecretText), 1, "secret_id", "version", "project_id"),
	secretHelper("addVersionString", `("key", "s3cret")`, addVersionString, 2, "secret_id", "data", "project_id"),
}

type starter = func(c *interp.Context, args []value.Value) interp.Next

func secretHelper(method, arguments string, start starter, required int, params ...string) Entry {
	name := "googleapis.secretmanager.v1.projects.secrets." + method
	return Entry{Name: name, Example: name + arguments, Inline: true,
		Func: interp.Func{Params: params, Required: required, Connector: true, Start: start}}
}

// secretPath is the URL of a secret, by default of the workflow's own project.
func secretPath(c *interp.Context, id, project value.Value) (string, error) {
	name, err := textArg(id, "secret_id")
	if err != nil {
		return "", err
	}
	own, _ := c.Env("GOOGLE_CLOUD_PROJECT_ID")
	p, err := optionalText(project, "project_id", own)
	return "https://secretmanager.googleapis.com/v1/projects/" + url.PathEscape(p) + "/secrets/" + url.PathEscape(name), err
}

// accessSecret reads a version of a secret.
func accessSecret(decode func(data string) (value.Value, error)) starter {
	return func(c *interp.Context, a []value.Value) interp.Next {
		target, err := secretPath(c, a[0], a[2])
		if err != nil {
			return interp.Fail(err)
		}
		version := "latest"
		if given(a[1]) {
			var ok bool
			if version, ok = interp.Text(a[1]); !ok {
				return interp.Fail(wrongType("version", "a string", a[1]))
			}
		}
		k, err := newConversation(c, false, value.NewMap())
		if err != nil {
			return interp.Fail(err)
		}
		k.connector = "googleapis.secretmanager.v1.projects.secrets.versions.access"
		target += "/versions/" + url.PathEscape(version) + ":access"
		return k.send(http.MethodGet, target, http.Header{"User-Agent": {userAgent}}, nil, func(v value.Value) interp.Next {
			secret, err := decode(text(v, "payload", "data"))
			if err != nil {
				return interp.Fail(err)
			}
			return interp.Done(secret)
		})
	}
}

func decodeSecret(data string) (value.Value, error) {
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, value.NewError("the secret is not Base64", value.ResponseTypeError)
	}
	return value.Bytes(raw), nil
}

func decodeSecretText(data string) (value.Value, error) {
	raw, err := decodeSecret(data)
	if err != nil {
		return nil, err
	}
	return textDecode([]value.Value{raw, nil})
}

// addVersionString adds a version to a secret, with a text as its data.
func addVersionString(c *interp.Context, a []value.Value) interp.Next {
	target, err := secretPath(c, a[0], a[2])
	if err != nil {
		return interp.Fail(err)
	}
	data, err := textArg(a[1], "data")
	if err != nil {
		return interp.Fail(err)
	}
	k, err := newConversation(c, false, value.NewMap())
	if err != nil {
		return interp.Fail(err)
	}
	k.connector = "googleapis.secretmanager.v1.projects.secrets.addVersion"
	payload := value.NewMap().Put("data", value.String(base64.StdEncoding.EncodeToString([]byte(data))))
	h := http.Header{"User-Agent": {userAgent}, "Content-Type": {"application/json; charset=utf-8"}}
	return k.send(http.MethodPost, target+":addVersion", h, value.MustJSON(value.NewMap().Put("payload", payload)), interp.Done)
}
