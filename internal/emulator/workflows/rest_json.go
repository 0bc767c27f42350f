package workflows

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	executionspb "cloud.google.com/go/workflows/executions/apiv1/executionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// executionFields are the fields of an execution that only the REST form has.
// The service sets createTime.
type executionFields struct {
	CreateTime *time.Time `json:"createTime,omitempty"`
	History    string     `json:"executionHistoryLevel,omitempty"`
	NoBacklog  bool       `json:"disableConcurrencyQuotaOverflowBuffering,omitempty"`
}

var executionFieldNames = []string{"createTime", "executionHistoryLevel", "disableConcurrencyQuotaOverflowBuffering"}

// historyLevels are the values of executionHistoryLevel; "" is unset.
var historyLevels = map[string]bool{
	"": true, "EXECUTION_HISTORY_LEVEL_UNSPECIFIED": true, "EXECUTION_HISTORY_BASIC": true, "EXECUTION_HISTORY_DETAILED": true,
}

// json returns the REST form of r; the BASIC view has the fields of gRPC only.
func (r record) json() (map[string]json.RawMessage, error) {
	message, err := protojson.Marshal(r.pb)
	if err != nil {
		return nil, internal("encode execution", err)
	}
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(message, &object); err != nil {
		return nil, internal("encode execution", err)
	}
	if r.isBasic {
		return object, nil
	}
	created := r.created.UTC()
	extra, err := json.Marshal(executionFields{&created, r.history, r.noBacklog})
	if err == nil {
		err = json.Unmarshal(extra, &object)
	}
	if err != nil {
		return nil, internal("encode execution", err)
	}
	return object, nil
}

// decodeExecution reads the body of create. Unknown fields are refused, as the
// service does.
func decodeExecution(req request) (record, error) {
	var object map[string]json.RawMessage
	if err := decodeBody(req, &object); err != nil {
		return record{}, err
	}
	var extra executionFields
	own := map[string]json.RawMessage{}
	for _, name := range executionFieldNames {
		if v, ok := object[name]; ok {
			own[name] = v
			delete(object, name)
		}
	}
	if err := recode(own, &extra); err != nil {
		return record{}, invalidJSON(err)
	}
	message, err := json.Marshal(object)
	if err != nil {
		return record{}, invalidJSON(err)
	}
	rec := record{pb: &executionspb.Execution{}}
	if err := rest.UnmarshalAt(message, rec.pb, "execution"); err != nil {
		return record{}, err
	}
	if !historyLevels[extra.History] {
		return record{}, invalid("execution.execution_history_level", "%q is not a level", extra.History)
	}
	rec.history, rec.noBacklog = extra.History, extra.NoBacklog
	return rec, nil
}

func recode(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

// maxBody holds the largest argument, escaped.
const maxBody = 1 << 20

// decodeBody reads a JSON body; an empty one is an empty object.
func decodeBody(req request, to any) error {
	data, err := readBody(req)
	if err != nil || len(data) == 0 {
		return err
	}
	if err := json.Unmarshal(data, to); err != nil {
		return invalidJSON(err)
	}
	return nil
}

func readBody(req request) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(nil, req.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, status.Errorf(codes.InvalidArgument, "Request payload size exceeds the limit: %d bytes.", maxBody)
	}
	if err != nil {
		return nil, status.Errorf(codes.Canceled, "the request body ended early: %v", err)
	}
	return data, nil
}

func invalidJSON(err error) error {
	return status.Errorf(codes.InvalidArgument, "Invalid JSON payload received. %v", err)
}

func viewOf(req request) (executionspb.ExecutionView, error) {
	switch v := req.FormValue("view"); v {
	case "":
		return executionspb.ExecutionView_EXECUTION_VIEW_UNSPECIFIED, nil
	default:
		view, ok := executionspb.ExecutionView_value[v]
		if !ok {
			return 0, invalid("view", "%q is not EXECUTION_VIEW_UNSPECIFIED, BASIC or FULL", v)
		}
		return executionspb.ExecutionView(view), nil
	}
}

func intOf(req request, key string) (int, error) {
	v := req.FormValue(key)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, invalid(key, "%q is not a whole number", v)
	}
	return int(n), nil
}
