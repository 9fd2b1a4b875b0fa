package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newLabCmd is a placeholder until the lab is there.
func newLabCmd() *cobra.Command {
	return &cobra.Command{Use: "lab", Short: "Hosts on one machine, to try things", Hidden: true, RunE: func(*cobra.Command, []string) error {
		return errors.New("the lab is not in this build")
	}}
}
