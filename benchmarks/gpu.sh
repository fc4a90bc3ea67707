#!/usr/bin/env bash
# Runs the benchmarks and the GPU tests on a GPU, and writes one JSON file for each into a folder.
#
#   benchmarks/gpu.sh FOLDER [NAME...]             all, or only the named ones
#   benchmarks/gpu.sh --dry-run FOLDER [NAME...]   the same commands on the CPU with tiny settings
#
# A benchmark that fails does not stop the others; the exit code is then 1. PYTHON selects the
# interpreter, ARGUMENTS are given to every benchmark (such as ARGUMENTS="--rounds 3").
# Other programs may use the CPU meanwhile, which is recorded.
set -uo pipefail

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }

dry=no
if [ "${1:-}" = --dry-run ]; then dry=yes; shift; fi
case "${1:-}" in '' | -*) usage ;; esac
mkdir -p "$1" || exit 2
out="$(cd "$1" && pwd)"
shift
wanted=("$@")
cd "$(dirname "$0")/.." || exit 2
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
python="${PYTHON:-python3}"
read -r -a more <<< "${ARGUMENTS:-}"

if [ "$dry" = yes ]; then
  # compiling is tried on a GPU only: here it would take minutes
  export TORCHDYNAMO_DISABLE=1 ACCELERATE_USE_CPU=1 OMP_NUM_THREADS=1
  device=(--device cpu --threads 1)
  rounds=(--rounds 1)
  clip=(--clip-size 32)
  roof=(--squares 256)
  base=micro large=tiny batch=2 other=3 inspected=micro
  videos=(--videos 4 --frames 80 --steps 4)
  evaluated=(--checkpoint random:demo --videos 2)
  tests=(--collect-only)
else
  device=(--device cuda) rounds=() clip=() roof=() tests=() videos=() evaluated=()
  base=vitb large=vitl batch=64 other=128 inspected=vitl
fi

failed=()
ran=()

is_wanted() {
  [ "${#wanted[@]}" = 0 ] && return 0
  for name in "${wanted[@]}"; do [ "$name" = "$1" ] && return 0; done
  return 1
}

# NAME SCRIPT OPTION...
benchmark() {
  local name="$1" script="$2"
  shift 2
  is_wanted "$name" || return 0
  printf '\n== %s\n' "$name"
  ran+=("$name")
  "$python" "benchmarks/$script.py" --busy-ok --json "$out/$name.json" \
    ${rounds[@]+"${rounds[@]}"} "$@" ${more[@]+"${more[@]}"} || failed+=("$name")
}

# NAME SCRIPT OPTION...: of a benchmark that takes optimizer steps
training() {
  local name="$1" script="$2"
  shift 2
  benchmark "$name" "$script" "${device[@]}" ${clip[@]+"${clip[@]}"} "$@"
}

bf16=(--precision bf16 ${roof[@]+"${roof[@]}"})
training step_base step --size "$base" --batch "$batch" "${bf16[@]}" --compile
training step_large step --size "$large" --batch "$batch" "${bf16[@]}" --compile
training step_batches step --size "$base" "$large" --batch "$other" "${bf16[@]}"
training step_finetune step --size "$base" --batch "$batch" --finetune --compile
training memory memory --size "$base" "$large" --batch "$batch"
training strategies strategies --size "$base" --batch "$batch"
training end_to_end end_to_end --size "$base" --batch "$batch" ${videos[@]+"${videos[@]}"}
benchmark evaluate evaluate "${device[@]}" ${evaluated[@]+"${evaluated[@]}"}
benchmark startup startup --size "$inspected"
benchmark convert convert --size "$base"

if is_wanted tests; then
  printf '\n== tests\n'
  ran+=(tests)
  mapfile -t files < <(grep -rl --include='test_*.py' 'mark\.gpu' tests | sort)
  "$python" -m pytest -p no:cacheprovider -m gpu "${files[@]}" ${tests[@]+"${tests[@]}"} 2>&1 \
    | tee "$out/tests.txt" || failed+=(tests)
fi

for name in ${wanted[@]+"${wanted[@]}"}; do
  case " ${ran[*]-} " in *" $name "*) ;; *) echo "no benchmark is called $name" >&2; failed+=("$name") ;; esac
done
printf '\n%s of %s failed%s\n' "${#failed[@]}" "${#ran[@]}" "${failed[*]:+: ${failed[*]}}"
[ "${#failed[@]}" = 0 ]
