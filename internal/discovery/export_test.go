package discovery

// Forget drops all unpacked tables.
func Forget() { loaded.Clear() }
