package kfp

// walkTexts calls f for each text in a value.
func walkTexts(v Value, f func(*Text)) {
	switch v := v.(type) {
	case *Text:
		f(v)
	case *List:
		for _, item := range v.Items {
			walkTexts(item, f)
		}
	case *Struct:
		for _, field := range v.Fields {
			walkTexts(field.Value, f)
		}
	}
}

// walkArgs calls the functions for each text and each condition in arguments.
func walkArgs(args []Arg, text func(*Text), present func(*IfPresent)) {
	for _, a := range args {
		switch a := a.(type) {
		case *Text:
			text(a)
		case *Concat:
			walkArgs(a.Items, text, present)
		case *IfPresent:
			present(a)
			walkArgs(a.Then, text, present)
			walkArgs(a.Else, text, present)
		}
	}
}

// walkExecutor calls the functions for each text and each condition of an
// executor.
func walkExecutor(e *Executor, text func(*Text), present func(*IfPresent)) {
	switch k := e.Kind.(type) {
	case *Container:
		if k.Image != nil { // it is missing from one that is refused
			text(k.Image)
		}
		walkArgs(k.Command, text, present)
		walkArgs(k.Args, text, present)
		for _, v := range k.Env {
			text(v.Value)
		}
		walkResources(k.Resources, text)
	case *Importer:
		if uri, ok := k.URI.(*Constant); ok {
			walkTexts(uri.Value, text)
		}
		if k.Metadata != nil {
			walkTexts(k.Metadata, text)
		}
	case *CustomJob:
		if k.Job != nil {
			walkTexts(k.Job, text)
		}
	}
}

func walkResources(r *Resources, text func(*Text)) {
	if r == nil {
		return
	}
	texts := []*Text{r.CPULimit, r.CPURequest, r.MemoryLimit, r.MemoryRequest}
	if r.Accelerator != nil {
		texts = append(texts, r.Accelerator.Type, r.Accelerator.Count)
	}
	for _, t := range texts {
		if t != nil {
			text(t)
		}
	}
}
