package rest

// mergePatch applies a JSON merge patch (RFC 7396, 2) to a parsed document and
// returns the result. It changes neither argument's objects that it keeps: target
// must be owned by the caller.
func mergePatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for name, v := range p {
		if v == nil {
			delete(t, name)
			continue
		}
		t[name] = mergePatch(t[name], v)
	}
	return t
}
