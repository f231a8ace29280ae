"""Base class of the lowering transformations."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from hls_projects.lowering.graph import CodeFormat, GraphView, NoMatch, insert


class LowerAt(Transformation):
    """A transformation that tries :meth:`lower` at every node of ``op_type``, with which its pattern ends.

    Args:
        formats: code formats by tensor, read before lowering. They stay valid, because operators make tensors of the
            same names. An operator that ends in a change of shape, whose output has no quantizer, adds its own.
    """

    op_type: ClassVar[str]

    def __init__(self, formats: dict[str, CodeFormat]) -> None:
        super().__init__()
        self.formats = formats

    @abstractmethod
    def lower(self, view: GraphView, node: NodeProto) -> NodeProto | list[NodeProto]:
        """The operator, or chain of operators, that makes the same output as ``node``.

        Raises:
            NoMatch: the pattern does not end at ``node``.
            LoweringError: it does, but no operator implements it.
        """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        view = GraphView(model, self.formats)
        for node in model.get_nodes_by_op_type(self.op_type):
            if view.producers.get(node.output[0]) != node:
                continue
            try:
                made = self.lower(view, node)
            except NoMatch:
                continue
            insert(model, made if isinstance(made, list) else [made])
            view.refresh()
        return model, False
