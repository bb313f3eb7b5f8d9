package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// settings are a YAML file's keys, each named like a flag, and their values
// as a flag would have them.
type settings map[string]string

// loadSettings reads the file given with --config (kong.ConfigurationLoader).
func loadSettings(r io.Reader) (kong.Resolver, error) {
	var doc map[string]yaml.Node
	if err := yaml.NewDecoder(r).Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	s := settings{}
	for key, node := range doc {
		switch node.Kind {
		case yaml.ScalarNode:
			if node.Tag != "!!null" {
				s[key] = node.Value
			}
		case yaml.SequenceNode:
			var list []string
			if err := node.Decode(&list); err != nil {
				return nil, fmt.Errorf("settings file: line %d: %s wants a list of texts", node.Line, key)
			}
			s[key] = strings.Join(list, ",")
		default:
			return nil, fmt.Errorf("settings file: line %d: %s wants a text, a number or a list", node.Line, key)
		}
	}
	return s, nil
}

// Validate refuses keys that are no flag of any verb: a misspelled setting
// must not be lost in silence.
func (s settings) Validate(app *kong.Application) error {
	known := map[string]bool{}
	err := kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok {
			known[f.Name] = true
		}
		return next(nil)
	})
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if !known[key] {
			return fmt.Errorf("settings file: no setting is called %s; keys are flags without the dashes, such as data-dir", key)
		}
	}
	return nil
}

// Resolve gives a flag its value from the file, unless the environment has
// one.
func (s settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := s[flag.Name]
	if !ok {
		return nil, nil
	}
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	return v, nil
}
