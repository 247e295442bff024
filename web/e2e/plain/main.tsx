/** The graph of the benchmark in React Flow as its documentation shows it, with what it offers for many nodes. */

import '@xyflow/react/dist/style.css';
import { type Edge, type Node, ReactFlow, type ReactFlowInstance, useEdgesState, useNodesState } from '@xyflow/react';
import { useEffect } from 'react';
import { createRoot } from 'react-dom/client';

declare global {
  interface Window {
    flow: ReactFlowInstance;
    showStatuses: (perSecond: number) => void;
  }
}

interface Graph {
  readonly nodes: readonly { readonly id: string; readonly name: string }[];
  readonly edges: readonly string[];
  readonly layout: Readonly<Record<string, readonly [number, number]>>;
}

const graph: Graph = await fetch('/graph.json').then((answer) => answer.json());
const nodesOfGraph = graph.nodes.map(({ id, name }): Node => {
  const [x, y] = graph.layout[id] ?? [0, 0];
  return { id, position: { x, y }, data: { label: name }, width: 160, height: 56 };
});
const edgesOfGraph = graph.edges.map((text): Edge => {
  const [source = '', target = ''] = text.split(' -> ');
  return { id: text, source, target };
});

function Plain() {
  const [nodes, setNodes, onNodesChange] = useNodesState(nodesOfGraph);
  const [edges, setEdges, onEdgesChange] = useEdgesState(edgesOfGraph);
  useEffect(() => {
    const field = document.querySelector<HTMLInputElement>('#name');
    const typed = () =>
      setNodes((all) => all.map((node, index) => (index ? node : { ...node, data: { label: field?.value } })));
    field?.addEventListener('input', typed);
    window.showStatuses = (perSecond) => {
      let at = 0;
      const tick = () => {
        const until = at + Math.round(perSecond / 60);
        const from = at;
        setNodes((all) =>
          all.map((node, index) =>
            index >= from && index < until ? { ...node, style: { background: '#b2f2bb' } } : node,
          ),
        );
        at = until;
        if (at < nodesOfGraph.length) requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    };
    return () => field?.removeEventListener('input', typed);
  }, [setNodes]);
  return (
    <ReactFlow
      nodes={nodes}
      edges={edges}
      onNodesChange={onNodesChange}
      onEdgesChange={onEdgesChange}
      onInit={(flow) => {
        window.flow = flow;
      }}
      onConnect={() => setEdges((all) => all)}
      onlyRenderVisibleElements
      panOnScroll
      minZoom={0.01}
    />
  );
}

const root = document.getElementById('root');
if (root) createRoot(root).render(<Plain />);
