"""Train a quantized vision transformer on CIFAR-10.

    python flows/train.py --out runs/vit-pot4

trains the recipe that made the shipped checkpoint. A run that was stopped goes on when the same
command is given again.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from brevitas_model import recipe as recipes
from brevitas_model.checkpoint import CheckpointError
from brevitas_model.config import ConfigError
from brevitas_model.data import DataError, load_cifar10, train_validation_split
from brevitas_model.training import Run, accuracy, train

INTERRUPTED = 130
DEFAULT_RECIPE = Path(recipes.__file__).parent / "recipes" / "vit-pot4.toml"


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, default=DEFAULT_RECIPE, help="TOML file (default: the shipped recipe)")
    parser.add_argument("--data", type=Path, help="torchvision root of CIFAR-10 (default: CIFAR10_ROOT, else download)")
    parser.add_argument("--out", type=Path, default=Path("runs/vit-pot4"), help="folder of the run")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_arguments(argv)
    try:
        recipe = recipes.load_recipe(args.recipe)
        pictures, validation = train_validation_split(load_cifar10(args.data, train=True))
        test = load_cifar10(args.data, train=False)
        started = (args.out / "state.safetensors").exists()
        run = Run.resume(args.out, recipe) if started else Run.start(args.out, recipe)
        args.out.mkdir(parents=True, exist_ok=True)
        model = train(run, pictures, validation, shlex.join(["python", "flows/train.py", *sys.argv[1:]]))
        score = accuracy(model, test)
    except (ConfigError, CheckpointError, DataError, OSError) as error:
        print(f"train: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("train: interrupted; the same command goes on after the last whole epoch", file=sys.stderr)
        return INTERRUPTED
    run.log(phase="test", test_accuracy=score)
    print(f"test accuracy {score:.2f} % ({len(test)} pictures); model in {args.out / 'model.safetensors'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
