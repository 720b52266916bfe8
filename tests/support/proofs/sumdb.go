// Checks what leaves the house with Go's own code of its checksum database (golang.org/x/mod/sumdb/note and tlog):
// a log of static files, proofs of entries, proofs of growth. Each line of standard input is a question, with tabs
// between its words; each line of standard output is the answer: "ok", the size and the root, or "bad" and why.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sumdb/note"
	"sumdb/tlog"
)

const height = 8

func main() {
	questions := bufio.NewScanner(os.Stdin)
	questions.Buffer(nil, 1<<24)
	for questions.Scan() {
		words := strings.Split(questions.Text(), "\t")
		tree, err := answer(words[0], words[1], words[2:])
		if err != nil {
			fmt.Printf("bad\t%s\n", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		fmt.Printf("ok\t%d\t%x\n", tree.N, tree.Hash[:])
	}
}

func answer(kind string, vkey string, files []string) (tlog.Tree, error) {
	switch kind {
	case "log":
		return checkLog(vkey, files[0])
	case "record":
		return checkRecord(vkey, files[0])
	case "growth":
		return checkGrowth(vkey, files[0], files[1])
	}
	return tlog.Tree{}, fmt.Errorf("unknown question %q", kind)
}

func open(vkey string, signed []byte) (tlog.Tree, error) {
	var tree tlog.Tree
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("no checkpoint of %s", verifier.Name())
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// files reads tiles below a folder, where C2SP leaves out their height.
type files struct{ folder string }

func (f files) Height() int { return height }

func (f files) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		data, err := os.ReadFile(filepath.Join(f.folder, path))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func checkLog(vkey string, folder string) (tlog.Tree, error) {
	signed, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return tlog.Tree{}, err
	}
	tree, err := open(vkey, signed)
	if err != nil {
		return tree, err
	}
	reader := tlog.TileHashReader(tree, files{folder})
	for first := int64(0); first < tree.N; first += 1 << height {
		width := min(tree.N-first, 1<<height)
		var wanted []int64
		for at := int64(0); at < width; at++ {
			wanted = append(wanted, tlog.StoredHashIndex(0, first+at))
		}
		hashes, err := reader.ReadHashes(wanted)
		if err != nil {
			return tree, err
		}
		tile := tlog.Tile{H: height, L: -1, N: first >> height, W: int(width)} // L -1 is Go's for entries
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data/", height), "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return tree, err
		}
		for at, hash := range hashes {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return tree, fmt.Errorf("bundle %d ends before entry %d", tile.N, at)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:end]) != hash {
				return tree, fmt.Errorf("entry %d is not what was hashed", first+int64(at))
			}
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			return tree, fmt.Errorf("bundle %d goes on", tile.N)
		}
	}
	return tree, nil
}

func hashesOf(lines []string) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		all = append(all, hash)
	}
	return all, nil
}

func checkRecord(vkey string, file string) (tlog.Tree, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return tlog.Tree{}, err
	}
	head, signed, _ := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return tlog.Tree{}, fmt.Errorf("no proof")
	}
	tree, err := open(vkey, signed)
	if err != nil {
		return tree, err
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return tree, err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return tree, err
	}
	if index < 0 || index >= tree.N {
		return tree, fmt.Errorf("no entry %d of %d", index, tree.N) // tlog panics
	}
	path, err := hashesOf(lines[3:])
	if err != nil {
		return tree, err
	}
	return tree, tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}

func checkGrowth(vkey string, older string, file string) (tlog.Tree, error) {
	signed, err := os.ReadFile(older)
	if err != nil {
		return tlog.Tree{}, err
	}
	before, err := open(vkey, signed)
	if err != nil {
		return before, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return before, err
	}
	head, signed, _ := bytes.Cut(data, []byte("\n\n"))
	tree, err := open(vkey, signed)
	if err != nil {
		return tree, err
	}
	lines := strings.Split(string(head), "\n")
	if lines[0] != fmt.Sprintf("old %d", before.N) || before.N > tree.N {
		return tree, fmt.Errorf("no proof of growth from %d to %d", before.N, tree.N)
	}
	path, err := hashesOf(lines[1:])
	if err != nil {
		return tree, err
	}
	return tree, tlog.CheckTree(path, tree.N, tree.Hash, before.N, before.Hash)
}
