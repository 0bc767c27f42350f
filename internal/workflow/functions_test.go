package workflow

import "strings"

// testFunctions is a table of the standard library for tests: name, then
// parameters; ? marks an optional one, ! a blocking function, = a value.
const testFunctions = `
double x
int x
string x
keys map
len value
default value default_value
if condition if_true if_false
get_type value
base64.decode data padding?
base64.encode data padding?
json.decode data
json.encode data indent?
json.encode_to_string data indent?
text.decode data charset?
text.encode text charset?
text.find_all source substr
text.find_all_regex source regexp
text.match_regex source regexp
text.replace_all source substr repl
text.replace_all_regex source regexp repl
text.split source separator
text.substring source start end
text.to_lower source
text.to_upper source
text.url_decode source
text.url_encode source
text.url_encode_plus source
uuid.generate
hash.compute_checksum data algorithm
hash.compute_hmac key data algorithm
list.concat objs val
list.prepend objs val
map.get map keys
map.delete map key
map.merge first second
map.merge_nested first second
math.abs x
math.floor x
math.max x y
math.min x y
time.format seconds timezone?
time.parse value
retry.always exception
retry.never exception
retry.default_backoff =
http.default_retry =
http.default_retry_non_idempotent =
http.default_retry_predicate exception
http.default_retry_predicate_non_idempotent exception
sys.get_env name default?
sys.log data? severity? text? json? timeout? !
sys.now
sys.sleep seconds !
sys.sleep_until time !
http.get url timeout? headers? query? auth? private_service_name? ca_certificate? !
http.delete url timeout? body? headers? query? auth? private_service_name? ca_certificate? !
http.patch url timeout? body? headers? query? auth? private_service_name? ca_certificate? !
http.post url timeout? body? headers? query? auth? private_service_name? ca_certificate? !
http.put url timeout? body? headers? query? auth? private_service_name? ca_certificate? !
http.request method url timeout? body? headers? query? auth? private_service_name? ca_certificate? !
events.create_callback_endpoint http_callback_method?
events.await_callback callback timeout? !
experimental.executions.run workflow_id location? project_id? argument? !
experimental.executions.map workflow_id arguments location? project_id? !
gke.request cluster_id location method path project? timeout? body? headers? query? auth? !
`

// testOptions are the options of a check with the standard library.
func testOptions(src []byte) CheckOptions {
	table := make(map[string]Signature)
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(testFunctions), "\n") {
		words := strings.Fields(line)
		var sig Signature
		for _, w := range words[1:] {
			switch name, optional := strings.CutSuffix(w, "?"); {
			case w == "!":
				sig.Blocking = true
			case w == "=":
				sig.Value = true
			default:
				sig.Params = append(sig.Params, name)
				if !optional {
					sig.Required++
				}
			}
		}
		table[words[0]] = sig
		names = append(names, words[0])
	}
	return CheckOptions{
		Functions:     func(name string) (Signature, bool) { s, ok := table[name]; return s, ok },
		FunctionNames: names,
		Source:        src,
	}
}
