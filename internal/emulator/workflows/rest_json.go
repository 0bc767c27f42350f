package workflows

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
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
	CreateTime *timestamp `json:"createTime,omitempty"`
	History    string     `json:"executionHistoryLevel,omitempty"`
	NoBacklog  bool       `json:"disableConcurrencyQuotaOverflowBuffering,omitempty"`
}

// timestamp is written as protobuf's JSON has it, with 0, 3, 6 or 9 digits of a
// second, so that equal times look alike wherever they come from.
type timestamp struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	text := t.UTC().Format(`"2006-01-02T15:04:05.000000000`)
	text = strings.TrimSuffix(strings.TrimSuffix(text, "000"), "000")
	return []byte(strings.TrimSuffix(text, ".000") + `Z"`), nil
}

var executionFieldNames = []string{"createTime", "executionHistoryLevel", "disableConcurrencyQuotaOverflowBuffering"}

// historyLevels are the values of executionHistoryLevel; "" is unset.
var historyLevels = map[string]bool{
	"": true, "EXECUTION_HISTORY_LEVEL_UNSPECIFIED": true, "EXECUTION_HISTORY_BASIC": true, "EXECUTION_HISTORY_DETAILED": true,
}

// json returns the REST form of r, with enums by name or by number; the BASIC
// view has the fields of gRPC only.
func (r record) json(enumNumbers bool) (map[string]json.RawMessage, error) {
	message, err := protojson.MarshalOptions{UseEnumNumbers: enumNumbers}.Marshal(r.pb)
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
	extra, err := json.Marshal(executionFields{&timestamp{r.created}, r.history, r.noBacklog})
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
	rec := record{pb: &executionspb.Execution{}, history: extra.History, noBacklog: extra.NoBacklog}
	if !historyLevels[extra.History] {
		return record{}, invalid("execution.execution_history_level", "%q is not a level", extra.History)
	}
	others, err := json.Marshal(object)
	if err != nil {
		return record{}, invalidJSON(err)
	}
	return rec, rest.UnmarshalAt(others, rec.pb, "execution")
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
	v := req.query["view"]
	view, ok := executionspb.ExecutionView_value[v]
	if !ok && v != "" {
		return 0, invalid("view", "%q is not EXECUTION_VIEW_UNSPECIFIED, BASIC or FULL", v)
	}
	return executionspb.ExecutionView(view), nil
}

func intOf(req request, key string) (int32, error) {
	v := req.query[key]
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, invalid(key, "%q is not a whole number", v)
	}
	return int32(n), nil
}
