"""The frame of a lowering transformation."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from hls_projects.lowering.graph import CodeFormat, GraphView, NoMatch, insert


class LowerAt(Transformation):
    """Try :meth:`lower` at every node of ``op_type``, which ends a pattern.

    Args:
        formats: code formats of the QONNX graph before lowering. Operators keep the names of the
            tensors that they make, so the formats stay valid; one that makes codes where the graph
            had only a change of shape adds its own.
    """

    op_type: ClassVar[str]

    def __init__(self, formats: dict[str, CodeFormat]) -> None:
        super().__init__()
        self.formats = formats

    @abstractmethod
    def lower(self, view: GraphView, node: NodeProto) -> NodeProto | list[NodeProto]:
        """The operator, or chain of operators, that makes the same output; raises NoMatch."""

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
