"""Files are exchanged both ways with Megatron-core, PaddleNLP and datasets themselves."""

import numpy as np
import pytest

from data_tools.convert import main
from data_tools.token_files.token_file import TokenFile
from data_tools.token_files.writer import TokenFileWriter

DOCUMENTS = [[5, 6, 7], [1], [9, 9, 0, 300], [2] * 50]


@pytest.fixture(params=[1000, 70_000], ids="vocabulary of {}".format)
def ours(request, tmp_path):
    documents = DOCUMENTS + [[request.param - 1]]
    with TokenFileWriter(tmp_path / "x", request.param) as writer:
        for ids in documents:
            writer.append(np.array(ids))
    return str(tmp_path / "x"), documents, np.uint16 if request.param == 1000 else np.int32


def read_back(tmp_path, form, source):
    assert main([form, str(source), str(tmp_path / "y")]) == 0
    data = TokenFile.open(tmp_path / "y")
    assert data.verify() == []
    return [data.document(i).tolist() for i in range(len(data))]


def test_megatron_core(tmp_path, ours):
    theirs = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    torch = pytest.importorskip("torch")
    prefix, documents, dtype = ours
    assert main(["to-megatron", prefix, str(tmp_path / "m")]) == 0
    for mmap in (True, False):
        data = theirs.IndexedDataset(str(tmp_path / "m"), mmap=mmap)
        assert [data[i].tolist() for i in range(len(data))] == documents
        assert data.document_indices.tolist() == list(range(len(documents) + 1))
        assert data.index.dtype == dtype
    builder = theirs.IndexedDatasetBuilder(str(tmp_path / "t.bin"), dtype=dtype)
    for ids in documents:
        builder.add_item(torch.tensor(ids[:1]))
        builder.add_item(torch.tensor(ids[1:]))
        builder.end_document()
    builder.finalize(str(tmp_path / "t.idx"))
    assert read_back(tmp_path, "from-megatron", tmp_path / "t") == documents
    builder = theirs.IndexedDatasetBuilder(str(tmp_path / "v.bin"), dtype, multimodal=True)
    builder.add_item(torch.tensor([3, 4]), mode=1)
    builder.end_document()
    builder.finalize(str(tmp_path / "v.idx"))
    assert main(["from-megatron", str(tmp_path / "v"), str(tmp_path / "z")]) == 2


@pytest.mark.parametrize("implementation", ["mmap", "lazy"])
def test_paddlenlp(tmp_path, ours, implementation, capsys):
    theirs = pytest.importorskip("paddlenlp.data.indexed_dataset")
    prefix, documents, dtype = ours
    assert main(["to-megatron", prefix, str(tmp_path / "m")]) == 0
    data = theirs.MMapIndexedDataset(str(tmp_path / "m"), skip_warmup=True)
    assert [data[i].tolist() for i in range(len(data))] == documents
    pair = theirs.make_dataset(prefix, "mmap")
    assert [pair[i].tolist() for i in range(len(pair))] == documents
    builder = theirs.make_builder(str(tmp_path / "t.bin"), implementation, dtype)
    for ids in documents:
        builder.add_item(np.array(ids, dtype))
        builder.end_document()
    if implementation == "lazy":
        builder.out_file.flush()
    builder.finalize(str(tmp_path / "t.idx"))
    assert read_back(tmp_path, "from-megatron", tmp_path / "t") == documents


def test_datasets(tmp_path, ours):
    theirs = pytest.importorskip("datasets")
    prefix, documents, _ = ours
    assert main(["to-hf", prefix, str(tmp_path / "m.parquet")]) == 0
    data = theirs.Dataset.from_parquet(str(tmp_path / "m.parquet"), cache_dir=str(tmp_path / "c"))
    assert data["input_ids"][:] == documents
    data.save_to_disk(str(tmp_path / "saved"), num_shards=2)
    assert read_back(tmp_path, "from-hf", tmp_path / "saved") == documents
    data.select([3, 1]).save_to_disk(str(tmp_path / "some"))
    assert read_back(tmp_path, "from-hf", tmp_path / "some") == [documents[3], documents[1]]
    theirs.DatasetDict(train=data).save_to_disk(str(tmp_path / "splits"))
    assert read_back(tmp_path, "from-hf", tmp_path / "splits" / "train") == documents
    assert main(["from-hf", str(tmp_path / "splits"), str(tmp_path / "z")]) == 2
