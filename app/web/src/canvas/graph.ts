import type { Edge, Node } from '@xyflow/react';

import type { InputField, InputForm } from '@/api/types';

export interface FlowData extends Record<string, unknown> {
  title: string;
  kind: string;
  container: boolean;
  handles: string[];
}

interface RawNode {
  id: string;
  type?: string;
  position?: { x: number; y: number };
  parentId?: string;
  width?: number;
  height?: number;
  data: { type?: string; title?: string; variables?: (InputField & { type?: string })[] };
}

export interface Draft {
  graph?: { nodes?: RawNode[]; edges?: { id: string; source: string; target: string; sourceHandle?: string | null }[] };
  features?: { opening_statement?: string; suggested_questions?: string[]; file_upload?: unknown; [feature: string]: unknown };
}

/** The smallest scale at which the names of nodes can be read. */
export const READABLE = 0.7;

/** What React Flow draws of a stored graph; notes and container entries are left out. `sight`: how much of a wide graph
 * is shown at first, in the graph's pixels. */
export function layout(draft: Draft, sight = 1400): { nodes: Node<FlowData>[]; edges: Edge[]; focus: Node<FlowData>[]; form: InputForm; opener: string; questions: string[] } {
  const raw = (draft.graph?.nodes ?? []).filter((n) => n.data.type);
  const links = draft.graph?.edges ?? [];
  const containers = new Set(['iteration', 'loop']);
  const nodes = raw
    // A parent must come before its children.
    .sort((a, b) => Number(Boolean(a.parentId)) - Number(Boolean(b.parentId)))
    .map<Node<FlowData>>((node) => {
      const container = containers.has(node.data.type ?? '');
      const handles = [...new Set(links.filter((e) => e.source === node.id).map((e) => e.sourceHandle ?? 'source'))];
      return {
        id: node.id,
        type: 'step',
        position: node.position ?? { x: 0, y: 0 },
        // The small map draws only nodes whose size is known beforehand.
        initialWidth: 200,
        initialHeight: 62,
        ...(node.parentId && raw.some((n) => n.id === node.parentId) ? { parentId: node.parentId } : {}),
        ...(container && node.width && node.height ? { style: { width: node.width, height: node.height } } : {}),
        data: { title: node.data.title ?? node.data.type ?? '', kind: node.data.type ?? '', container, handles: handles.length ? handles : ['source'] },
      };
    });
  const edges = links.map<Edge>((e) => ({ id: e.id, source: e.source, target: e.target, sourceHandle: e.sourceHandle ?? 'source', targetHandle: 'target' }));
  const roots = nodes.filter((node) => !node.parentId);
  // A file made by a program may have all its nodes in one place: they go side by side.
  if (roots.length > 1 && new Set(roots.map((n) => `${n.position.x} ${n.position.y}`)).size === 1) {
    roots.forEach((node, i) => (node.position = { x: i * 300, y: 0 }));
  }
  // A graph too wide to be read as a whole is shown from its beginning.
  const left = Math.min(...roots.map((n) => n.position.x));
  const seen = (n: Node<FlowData>) => n.position.x + Number(n.style?.width ?? n.initialWidth ?? 0) <= left + sight || n.position.x === left;
  const focus = roots.filter(seen);
  const start = raw.find((n) => n.data.type === 'start');
  const form = (start?.data.variables ?? []).map((field) => ({ [field.type ?? 'text-input']: field }));
  return { nodes, edges, focus, form, opener: draft.features?.opening_statement ?? '', questions: draft.features?.suggested_questions ?? [] };
}
