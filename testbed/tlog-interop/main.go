// Command tlog-interop reads and writes logs as others do, for the ledger's tests: transparency-dev's reader and
// checker on a ledger of Weir's, and a log of Tessera's for Weir's verification.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const usage = "tlog-interop check DIR KEY [EARLIER-CHECKPOINT] [WITNESS-KEY] | write DIR SECRET-KEY ENTRIES"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tlog-interop:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx := context.Background()
	switch {
	case len(args) >= 3 && args[0] == "check":
		return check(ctx, args[1], args[2], args[3:])
	case len(args) == 4 && args[0] == "write":
		return write(ctx, args[1], args[2], args[3])
	default:
		return errors.New(usage)
	}
}

// check verifies signature, tree, every entry's inclusion and growth from an earlier checkpoint.
func check(ctx context.Context, dir, key string, more []string) error {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return err
	}
	origin := verifier.Name()
	log := client.FileFetcher{Root: dir}
	cp, raw, _, err := client.FetchCheckpoint(ctx, log.ReadCheckpoint, verifier, origin)
	if err != nil {
		return err
	}
	if err := fsck.New(origin, verifier, log, bundleHashes, fsck.Opts{N: 1}).Check(ctx); err != nil {
		return fmt.Errorf("Tessera's own check: %w", err)
	}
	builder, err := client.NewProofBuilder(ctx, cp.Size, log.ReadTile)
	if err != nil {
		return err
	}
	for index := uint64(0); index < cp.Size; index++ {
		if err := included(ctx, log, builder, cp, index); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	if len(more) > 0 {
		if err := grown(ctx, builder, cp, verifier, more[0]); err != nil {
			return err
		}
	}
	if len(more) > 1 {
		witness, err := f_note.NewVerifierForCosignatureV1(more[1])
		if err != nil {
			return err
		}
		if raw, err = os.ReadFile(dir + "/checkpoint-cosigned"); err != nil {
			return err
		}
		if _, _, _, err := f_log.ParseCheckpoint(raw, origin, verifier, witness); err != nil {
			return err
		}
		if n, err := note.Open(raw, note.VerifierList(witness)); err != nil || len(n.Sigs) != 1 {
			return fmt.Errorf("the witness's signature: %v", err)
		}
	}
	fmt.Printf("%d entries of %s\n", cp.Size, origin)
	return nil
}

func included(ctx context.Context, log client.FileFetcher, builder *client.ProofBuilder, cp *f_log.Checkpoint, index uint64) error {
	bundle, err := client.GetEntryBundle(ctx, log.ReadEntryBundle, index/256, cp.Size)
	if err != nil {
		return err
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[index%256])
	hashes, err := builder.InclusionProof(ctx, index)
	if err != nil {
		return err
	}
	return proof.VerifyInclusion(rfc6962.DefaultHasher, index, cp.Size, leaf, hashes, cp.Hash)
}

func grown(ctx context.Context, builder *client.ProofBuilder, cp *f_log.Checkpoint, verifier note.Verifier, path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	earlier, _, _, err := f_log.ParseCheckpoint(raw, verifier.Name(), verifier)
	if err != nil {
		return err
	}
	hashes, err := builder.ConsistencyProof(ctx, earlier.Size, cp.Size)
	if err != nil {
		return err
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, earlier.Size, cp.Size, hashes, earlier.Hash, cp.Hash)
}

func bundleHashes(raw []byte) ([][]byte, error) {
	bundle := api.EntryBundle{}
	if err := bundle.UnmarshalText(raw); err != nil {
		return nil, err
	}
	hashes := make([][]byte, 0, len(bundle.Entries))
	for _, entry := range bundle.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// write makes a log of Tessera's, of entries that are the same each time.
func write(ctx context.Context, dir, secret, count string) error {
	entries, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(100 * time.Millisecond)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 50*time.Millisecond)
	var futures []tessera.IndexFuture
	for number := range entries {
		digest := sha256.Sum256([]byte(strconv.Itoa(number)))
		entry := bytes.Repeat(digest[:], number%3+1)
		futures = append(futures, appender.Add(ctx, tessera.NewEntry(entry)))
	}
	for _, future := range futures {
		if _, _, err := awaiter.Await(ctx, future); err != nil {
			return err
		}
	}
	return shutdown(ctx)
}
