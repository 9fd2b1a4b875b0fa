package topology

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// The bounds of a manifest.
const (
	MaxManifestBytes   = 8 << 20
	MaxManifestObjects = 20_000
)

// ManifestError says in which document of a manifest something is wrong.
type ManifestError struct {
	Document int // counted from 1; items of lists count too; 0 if it is the whole
	Err      error
}

// Error implements error.
func (e *ManifestError) Error() string {
	if e.Document == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("document %d: %v", e.Document, e.Err)
}

// Unwrap returns Err: an *InvalidError if a field is wrong.
func (e *ManifestError) Unwrap() error { return e.Err }

// DecodeManifest reads objects from YAML (documents separated by "---") or JSON
// (documents one after the other). A document is {kind, metadata, spec}, a list of
// documents, or {kind: List, items: […]}. What the controller itself adds when it
// shows an object (allocated, status, revision, created) is accepted and ignored,
// so that what was shown can be applied; any other unknown field is an error. The
// objects are not validated. Errors are *ManifestError.
func DecodeManifest(data []byte) ([]Object, error) {
	if len(data) > MaxManifestBytes {
		return nil, &ManifestError{Err: fmt.Errorf("the manifest has %d bytes; at most %d: apply it in parts", len(data), MaxManifestBytes)}
	}
	m := manifest{}
	var err error
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // byte order mark
	if looksLikeJSON(data) {
		err = m.addJSON(data)
	} else {
		err = m.addYAML(data)
	}
	if err != nil {
		return nil, err
	}
	return m.objects, nil
}

// looksLikeJSON tells JSON from YAML, which may also start with a bracket: there,
// names seldom are in quotes, and document markers can follow.
func looksLikeJSON(data []byte) bool {
	inner := bytes.TrimLeft(data, " \t\r\n")
	if len(inner) == 0 || inner[0] != '{' && inner[0] != '[' || bytes.Contains(data, []byte("\n---")) {
		return false
	}
	inner = bytes.TrimLeft(inner, " \t\r\n[{")
	return len(inner) == 0 || inner[0] == '"' || inner[0] == ']' || inner[0] == '}'
}

// DecodeObject reads the JSON form of one object whose kind is known, as a REST
// client sends it: {metadata, spec}, where kind may be there too. The error is an
// *InvalidError if a field is wrong.
func DecodeObject(kind Kind, data []byte) (Object, error) {
	v, err := ParseJSON(data)
	if err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	if _, has := doc["kind"]; !has {
		doc["kind"] = string(kind)
	}
	o, err := decodeDocument(doc)
	if err == nil && o.Key().Kind != kind {
		return nil, invalid(o.Key(), "kind", "must be %s", kind)
	}
	return o, err
}

type manifest struct {
	objects   []Object
	documents int
}

func (m *manifest) addJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	for {
		if len(bytes.TrimSpace(data[d.InputOffset():])) == 0 {
			return nil
		}
		v, err := parseValue(d, 0)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return &ManifestError{m.documents + 1, fmt.Errorf("not valid JSON: %w", err)}
		}
		if err := m.add(v, 0); err != nil {
			return err
		}
	}
}

func (m *manifest) addYAML(data []byte) error {
	docs, ok := splitYAML(data)
	if !ok {
		return &ManifestError{Err: fmt.Errorf("the manifest has more than %d documents: apply it in parts", maxDocuments)}
	}
	for _, doc := range docs {
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		if err := refuseAliases(doc); err != nil {
			return &ManifestError{m.documents + 1, err}
		}
		// Names that are there twice are an error.
		j, err := yaml.YAMLToJSONStrict(doc)
		if err != nil {
			return &ManifestError{m.documents + 1, fmt.Errorf("not valid YAML: %s", clip(strings.TrimPrefix(err.Error(), "yaml: ")))}
		}
		v, err := ParseJSON(j)
		if err != nil {
			return &ManifestError{m.documents + 1, fmt.Errorf("not valid YAML: %w", err)}
		}
		if v == nil {
			continue // nothing but comments
		}
		if err := m.add(v, 0); err != nil {
			return err
		}
	}
	return nil
}

// maxDocuments bounds the documents of a stream, empty ones included.
const maxDocuments = 2 * MaxManifestObjects

// refuseAliases refuses anchors that are used again: a few bytes could stand for
// gigabytes. What has no "&" has none of them, and need not be looked at.
func refuseAliases(doc []byte) error {
	const maxParsed = 1 << 20
	if !bytes.Contains(doc, []byte("&")) || !bytes.Contains(doc, []byte("*")) {
		return nil
	}
	if len(doc) > maxParsed {
		return fmt.Errorf("a document with & and * in it may have %d bytes at most", maxParsed)
	}
	var root yamlv3.Node
	if err := yamlv3.Unmarshal(doc, &root); err != nil {
		return fmt.Errorf("not valid YAML: %s", clip(strings.TrimPrefix(err.Error(), "yaml: ")))
	}
	if at := findAlias(&root); at != nil {
		return fmt.Errorf("line %d: *%s: aliases are not allowed; write out what they stand for", at.Line, clip(at.Value))
	}
	return nil
}

func findAlias(n *yamlv3.Node) *yamlv3.Node {
	if n.Kind == yamlv3.AliasNode {
		return n
	}
	for _, c := range n.Content {
		if at := findAlias(c); at != nil {
			return at
		}
	}
	return nil
}

// clip shortens what came from a manifest for a message.
func clip(s string) string {
	if len(s) > 500 {
		return s[:500] + "…"
	}
	return s
}

// splitYAML cuts a stream at its document markers (YAML 1.2.2, 9.1), unless there
// are too many.
func splitYAML(data []byte) (docs [][]byte, ok bool) {
	start := 0
	for at := 0; at < len(data) && len(docs) <= maxDocuments; {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		line := bytes.TrimRight(data[at:end], " \t\r\n")
		switch {
		case string(line) == "---" || string(line) == "...":
			docs = append(docs, data[start:at])
			start = end
		case bytes.HasPrefix(line, []byte("--- ")):
			docs = append(docs, data[start:at])
			start = at + len("---")
		}
		at = end
	}
	docs = append(docs, data[start:])
	return docs, len(docs) <= maxDocuments
}

// maxListDepth is how deep lists may be in lists.
const maxListDepth = 4

// add adds a document, or all of a list of documents.
func (m *manifest) add(v any, depth int) error {
	if list, ok := items(v); ok && depth < maxListDepth {
		for _, item := range list {
			if err := m.add(item, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	m.documents++
	if m.documents > MaxManifestObjects {
		return &ManifestError{Err: fmt.Errorf("the manifest has more than %d objects: apply it in parts", MaxManifestObjects)}
	}
	doc, ok := v.(map[string]any)
	if !ok {
		return &ManifestError{m.documents, fmt.Errorf("%s is no object; write kind, metadata and spec", describe(v))}
	}
	o, err := decodeDocument(doc)
	if err != nil {
		return &ManifestError{m.documents, err}
	}
	m.objects = append(m.objects, o)
	return nil
}

// items are the documents of a list, if it is one.
func items(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case map[string]any:
		// As people write it, and as the API shows it: "EndpointList" with a "continue".
		if kind, _ := v["kind"].(string); strings.HasSuffix(kind, "List") && v["metadata"] == nil && v["spec"] == nil {
			list, ok := v["items"].([]any)
			return list, ok || v["items"] == nil && len(v) == 1
		}
	}
	return nil, false
}

func decodeDocument(doc map[string]any) (Object, error) {
	kind, _ := doc["kind"].(string)
	o := New(Kind(kind))
	switch {
	case doc["kind"] == nil:
		return nil, invalid(Key{Kind: "Object"}, "kind", "is missing; kinds are %s and List", kindList())
	case o == nil:
		return nil, invalid(Key{Kind: "Object"}, "kind", "%s is no kind of object; kinds are %s and List", describe(doc["kind"]), kindList())
	}
	// Copied, since the caller's map is not ours to change.
	rest := make(map[string]any, len(doc))
	for k, v := range doc {
		if k != "allocated" && k != "status" {
			rest[k] = v
		}
	}
	err := fillFields("", rest, map[string]reflect.Value{
		"kind": reflect.ValueOf(&kind).Elem(), "metadata": reflect.ValueOf(o.Meta()).Elem(), "spec": part(o, "Spec"),
	})
	var fe *fieldError
	if errors.As(err, &fe) {
		return nil, invalid(documentKey(doc), fe.path, "%s", fe.reason)
	}
	o.Meta().Revision, o.Meta().Created = 0, time.Time{}
	return o, err
}

// documentKey is the key of a document as far as it can be read.
func documentKey(doc map[string]any) Key {
	kind, _ := doc["kind"].(string)
	meta, _ := doc["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	tenant, _ := meta["tenant"].(string)
	return Key{Kind(kind), tenant, name}
}

// shown is the form in which objects are written.
type shown struct {
	Kind      Kind     `json:"kind"`
	Metadata  Metadata `json:"metadata"`
	Spec      any      `json:"spec"`
	Allocated any      `json:"allocated,omitempty"`
}

func show(o Object, all bool) shown {
	s := shown{Kind: o.Key().Kind, Metadata: *o.Meta(), Spec: partOf(o, "Spec"), Allocated: partOf(o, "Allocated")}
	if !all {
		s.Allocated, s.Metadata.Revision, s.Metadata.Created = nil, 0, time.Time{}
	}
	return s
}

// EncodeJSON is the full form of an object, {kind, metadata, spec, allocated}.
// DecodeManifest reads it.
func EncodeJSON(o Object) ([]byte, error) { return json.Marshal(show(o, true)) }

// EncodeManifest writes what people say of objects, and nothing that the store
// chose, as YAML documents. DecodeManifest gives the same objects back.
func EncodeManifest(objects []Object) ([]byte, error) {
	var out bytes.Buffer
	for i, o := range objects {
		if i > 0 {
			out.WriteString("---\n")
		}
		b, err := yaml.Marshal(show(o, false))
		if err != nil {
			return nil, fmt.Errorf("writing %s as YAML: %w", o.Key(), err)
		}
		out.Write(b)
	}
	return out.Bytes(), nil
}
