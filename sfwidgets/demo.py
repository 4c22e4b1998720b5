"""`make demo`: the pipeline notebook on real music, with no account, no service and no model download."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sfwidgets.batch import folder_name, run_pipeline
from sfwidgets.errors import SoundForgeError
from sfwidgets.examples import excerpt
from sfwidgets.separation import EMBEDDED

__all__ = ["excerpt", "main"]


def main() -> int:
    """Run the demo and say where everything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio", type=Path, help="a song of your own")
    parser.add_argument("--out", type=Path, required=True, help="where everything goes")
    parser.add_argument("--model", default=EMBEDDED, help="a model's name, or auto")
    given = parser.parse_args()
    try:
        audio = (given.audio or excerpt()).expanduser()
        out = given.out / folder_name(audio)
        print(f"Taking apart: {audio.name}", file=sys.stderr)
        result = run_pipeline(audio, out, parameters={"model": given.model}, library=given.out / "library")
    except SoundForgeError as error:
        print(f"The demo failed: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The demo was stopped.", file=sys.stderr)
        return 130
    analysis = result["analysis"]
    facts = {
        "model": f"{result['model']} ({result['precision']}), {result['seconds']:.1f} s of work",
        "tempo": "not steady" if analysis["bpm"] is None else f"{analysis['bpm']} BPM",
        "key": analysis["key"] or "not clear",
        "loudness": "no loudness" if analysis["loudness"] is None else f"{analysis['loudness']} LUFS",
        "stems": str(out / "stems"),
        "analysis": str(out / "analysis.json"),
        "notebook": str(out / "notebook.ipynb"),
        "report": str(out / "report.html"),
    }
    for name, value in facts.items():
        print(f"  {name:<10}{value}")
    for stem, value in result["sdr"].items():
        print(f"  SDR {stem:<10}{value:6.2f} dB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
