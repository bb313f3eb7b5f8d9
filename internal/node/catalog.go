package node

import (
	"fmt"
	"os"

	"rte/internal/event"
)

// maxOverlay bounds an overlay file, in bytes: a wrong file shall not fill
// the memory before it is refused.
const maxOverlay = 16 << 20

// ReadCatalog is the built-in catalogue, with what the overlay file adds; ""
// is none. The error names the file and the part of it that is wrong.
func ReadCatalog(overlay string) (*event.Catalog, error) {
	cat := event.NewCatalog()
	if overlay == "" {
		return cat, nil
	}
	info, err := os.Stat(overlay)
	if err != nil {
		return nil, fmt.Errorf("catalogue overlay: %w", err)
	}
	if info.Size() > maxOverlay {
		return nil, fmt.Errorf("catalogue overlay %s: %d bytes, at most %d are read", overlay, info.Size(), maxOverlay)
	}
	text, err := os.ReadFile(overlay)
	if err != nil {
		return nil, fmt.Errorf("catalogue overlay: %w", err)
	}
	if cat, err = cat.Overlay(text); err != nil {
		return nil, fmt.Errorf("catalogue overlay %s: %w", overlay, err)
	}
	return cat, nil
}
