"""Weaviate's side of the memory rows, in the environment of its client: `FOLDER PORT GRPC COUNT`.

Puts the texts in unless they are there, then answers each line `search` with the median of the milliseconds of a
hybrid search. The first line that it prints holds the seconds that putting in took.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

from bench.memory_texts import QUERIES, corpus


def main(folder: Path, port: int, grpc: int, count: int) -> None:
    """Until standard input ends."""
    import weaviate
    from weaviate.classes.config import Configure, DataType, Property
    from weaviate.classes.query import HybridFusion, MetadataQuery
    from weaviate.config import AdditionalConfig, Timeout

    given = corpus(count)
    stored = len(given.texts) - QUERIES
    patient = AdditionalConfig(timeout=Timeout(init=60, query=60, insert=300))
    with weaviate.connect_to_local(port=port, grpc_port=grpc, additional_config=patient) as client:
        seconds = folder / "seconds"
        if not seconds.is_file():
            client.collections.delete_all()
            memories = client.collections.create(
                "Memory",
                properties=[Property(name="text", data_type=DataType.TEXT)],
                vector_config=Configure.Vectors.self_provided(),
            )
            started = time.perf_counter()
            with memories.batch.fixed_size(batch_size=500, concurrent_requests=2) as batch:
                for number in range(stored):
                    batch.add_object({"text": given.texts[number]}, vector=given.numbers(number))
            assert not memories.batch.failed_objects, memories.batch.failed_objects[:2]
            seconds.write_text(str(time.perf_counter() - started))
            # What is in memory only is slow to search; it is written after some seconds.
            time.sleep(12)
        memories = client.collections.use("Memory")
        assert memories.aggregate.over_all(total_count=True).total_count == stored
        asked = [(given.words(number), given.numbers(number)) for number in range(stored, stored + QUERIES)]
        print(seconds.read_text(), flush=True)
        while sys.stdin.readline():
            taken: list[float] = []
            for words, vector in asked:
                started = time.perf_counter()
                found = memories.query.hybrid(
                    words,
                    vector=vector,
                    limit=10,
                    fusion_type=HybridFusion.RANKED,
                    return_metadata=MetadataQuery(score=True),
                )
                taken.append((time.perf_counter() - started) * 1000)
                assert len(found.objects) == 10
            print(median(taken), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
