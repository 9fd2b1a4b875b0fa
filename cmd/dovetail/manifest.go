package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/topology"
)

// maxManifest bounds what is read of all files, in bytes.
const maxManifest = 64 << 20

// manifest is what was read of one or several files.
type manifest struct {
	data    []byte
	objects []topology.Object
	from    []source // of each object
}

// source says where an object was read.
type source struct {
	path     string
	document int // counted from 1; items of lists count too
}

func (s source) String() string { return fmt.Sprintf("%s, document %d", s.path, s.document) }

// bodyIndex is how the API names an object of a manifest.
var bodyIndex = regexp.MustCompile(`body\[([0-9]{1,9})\](\.?)`)

// explain says in an answer of the API where an object was read, instead of its
// place in the request.
func (m manifest) explain(err error) error {
	p, ok := client.AsProblem(err)
	if !ok {
		return err
	}
	return errors.New(bodyIndex.ReplaceAllStringFunc(p.Error(), func(place string) string {
		found := bodyIndex.FindStringSubmatch(place)
		i, err := strconv.Atoi(found[1])
		if err != nil || i >= len(m.from) {
			return place
		}
		return m.from[i].String() + strings.Replace(found[2], ".", ": ", 1)
	}))
}

// readManifests joins files as documents of one manifest. An object that is there
// twice is found here, where it is known in which files.
func readManifests(stdin io.Reader, files []string) (manifest, error) {
	var m manifest
	first := map[topology.Key]source{}
	for _, f := range files {
		paths, err := manifestFiles(f)
		if err != nil {
			return m, err
		}
		for _, path := range paths {
			before := len(m.objects)
			if err := m.read(stdin, path); err != nil {
				return m, err
			}
			for i, o := range m.objects[before:] {
				at := source{label(path), i + 1}
				if other, twice := first[o.Key()]; twice {
					return m, fmt.Errorf("%s: %s is in %s already", at, o.Key(), other)
				}
				first[o.Key()] = at
				m.from = append(m.from, at)
			}
		}
	}
	return m, nil
}

// read appends a file.
func (m *manifest) read(stdin io.Reader, path string) error {
	r := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("the manifest cannot be read: %w", err)
		}
		defer file.Close()
		r = file
	}
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", label(path), err)
	}
	if len(m.data)+len(data) > maxManifest {
		return fmt.Errorf("the manifests are larger than %d MiB: apply them in parts", maxManifest>>20)
	}
	objs, err := topology.DecodeManifest(data)
	var at *topology.ManifestError
	if errors.As(err, &at) && at.Document > 0 {
		return fmt.Errorf("%s: %w", source{label(path), at.Document}, at.Err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", label(path), err)
	}
	if m.data != nil {
		m.data = append(m.data, "\n---\n"...)
	}
	m.data, m.objects = append(m.data, data...), append(m.objects, objs...)
	return nil
}

// label is what a file is called in messages.
func label(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// manifestFiles are the manifests of a folder, or the file itself.
func manifestFiles(path string) ([]string, error) {
	if path == "-" {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the manifest cannot be read: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	for _, pattern := range []string{"*.yaml", "*.yml", "*.json"} {
		found, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			return nil, fmt.Errorf("looking for manifests in %s: %w", path, err)
		}
		files = append(files, found...)
	}
	if files == nil {
		return nil, fmt.Errorf("the folder %s has no .yaml, .yml or .json file", path)
	}
	slices.Sort(files)
	return files, nil
}
