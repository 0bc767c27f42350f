package rest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// answer writes the response of a method.
func (m match) answer(w http.ResponseWriter, q url.Values, out proto.Message) {
	if m.response != nil {
		out = out.ProtoReflect().Get(m.response).Message().Interface()
	}
	if raw, ok := out.(*httpbody.HttpBody); ok {
		w.Header().Set("Content-Type", raw.ContentType)
		_, _ = w.Write(raw.Data) // a client that hung up needs no answer
		return
	}
	body, err := marshal(out, protojson.MarshalOptions{UseEnumNumbers: EnumNumbers(q)})
	if err != nil {
		WriteError(w, status.Error(codes.Internal, err.Error()))
		return
	}
	writeBody(w, http.StatusOK, body)
}

// EnumNumbers says whether the query asks for enums as numbers, as Go's REST
// clients do: $alt=json;enum-encoding=int.
func EnumNumbers(q url.Values) bool {
	for _, alt := range []string{q.Get("$alt"), q.Get("alt")} {
		if slices.Contains(strings.Split(alt, ";"), "enum-encoding=int") {
			return true
		}
	}
	return false
}
