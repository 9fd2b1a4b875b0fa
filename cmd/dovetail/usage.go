package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// arguments is how many arguments a command takes: those that are named, of which
// the first needed must be there. A last name that ends with "..." stands for as
// many as one likes.
func arguments(needed int, names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		many := len(names) > 0 && strings.HasSuffix(names[len(names)-1], "...")
		switch {
		case len(args) < needed:
			missing := make([]string, 0, needed)
			for _, n := range names[len(args):needed] {
				missing = append(missing, strings.TrimSuffix(n, "..."))
			}
			be := " is"
			if len(missing) > 1 {
				be = " are"
			}
			if missing[0] == "KIND" {
				missing[0] += " (" + strings.Join(kindTitles(), ", ") + ")"
			}
			return fmt.Errorf("%s%s missing; for example: %s", strings.Join(missing, " and "), be, example(c))
		case len(args) > len(names) && !many:
			return fmt.Errorf("%q is one argument too many; for example: %s", args[len(names)], example(c))
		}
		return nil
	}
}

// example is a command's first.
func example(c *cobra.Command) string {
	line, _, _ := strings.Cut(strings.TrimSpace(c.Example), "\n")
	return line
}

// commandsOnly is for commands that do nothing themselves: whatever follows must be
// one of their own.
func commandsOnly(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	c.SuggestionsMinimumDistance = 2 // letters
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %q?", c.CommandPath()+" "+near[0])
	}
	return fmt.Errorf("there is no command %q%s; see %q", c.CommandPath()+" "+args[0], hint, c.CommandPath()+" --help")
}

// flagError says in plain words what is wrong with a flag.
func flagError(c *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		empty   *pflag.ValueRequiredError
		bad     *pflag.InvalidValueError
	)
	see := fmt.Sprintf("; see %q", c.CommandPath()+" --help")
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("there is no flag %s%s", dashed(unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames()), see)
	case errors.As(err, &empty):
		return fmt.Errorf("%s needs a value%s", dashed(empty.GetSpecifiedName(), empty.GetSpecifiedShortnames()), see)
	case errors.As(err, &bad):
		return fmt.Errorf("--%s: %q is not %s", bad.GetFlag().Name, bad.GetValue(), wanted(bad.GetFlag().Value.Type()))
	}
	return fmt.Errorf("%w%s", err, see)
}

func dashed(name, short string) string {
	if short != "" {
		return "-" + name
	}
	return "--" + name
}

// wanted says what values of a type of flag are.
func wanted(flagType string) string {
	switch flagType {
	case "duration":
		return "a duration; write it like 30s or 5m"
	case "int":
		return "a whole number"
	case "uint64":
		return "a whole number from 0 up"
	case "bool":
		return "true or false"
	}
	return "a value of type " + flagType
}
