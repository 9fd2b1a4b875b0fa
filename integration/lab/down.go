package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Down removes a lab, or what is left of it: its processes, by the ids that were
// written down and those in its namespaces, its namespaces and its folder. It is no
// error if there is none.
func Down(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	dir, spaces := filepath.Join(Root, name), namespaces("dv-"+name+"-")
	errs := []error{killAll(recorded(dir)), killAll(inhabitants(spaces)), deleteLink("dv-" + name)}
	for _, ns := range spaces {
		errs = append(errs, deleteNamespace(ns))
	}
	return errors.Join(append(errs, os.RemoveAll(dir))...)
}

// Sweep removes labs whose owner has ended without removing them (see
// Config.Owner), and returns their names.
func Sweep() ([]string, error) {
	names, err := Names()
	if err != nil {
		return nil, err
	}
	var swept []string
	var errs []error
	for _, name := range names {
		s, err := readState(name)
		if err != nil || s.Owner == nil || s.Owner.alive() {
			continue
		}
		swept = append(swept, name)
		errs = append(errs, Down(name))
	}
	return swept, errors.Join(errs...)
}

// deleteLink removes an interface of the root namespace. A lab's goes by itself some
// time after its other end's namespace, so that it is no error if there is none.
func deleteLink(name string) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing interface %s: %w", name, err)
	}
	return nil
}

// deleteNamespace removes a namespace's name; the kernel removes what is in it soon
// afterwards.
func deleteNamespace(name string) error {
	path := filepath.Join("/run/netns", name)
	// EINVAL: only the name is left.
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("removing namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing namespace %s: %w", name, err)
	}
	return nil
}
