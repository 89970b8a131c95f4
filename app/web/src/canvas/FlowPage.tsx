import '@xyflow/react/dist/style.css';

import { Badge, Text, useComputedColorScheme } from '@mantine/core';
import { Background, Controls, Handle, MiniMap, Position, ReactFlow, type Node, type NodeProps } from '@xyflow/react';
import { useMemo, useState } from 'react';
import { useTranslation } from '@/i18n';

import { Chat } from '@/chat/Chat';
import { messageRules } from '@/chat/files';
import { entries, type Inputs } from '@/chat/inputs';
import { chatService, served } from '@/chat/service';
import { useChat } from '@/chat/useChat';
import { useFrameApp } from '@/studio/AppFrame';
import { AppIcon } from '@/ui/AppIcon';
import { HiddenTitle } from '@/ui/Page';
import { Failed, RowSkeletons } from '@/ui/states';

import { CompletionPanel } from '@/prompt/CompletionPanel';
import css from './Flow.module.css';
import { useFlowDraft } from './draft';
import { layout, READABLE, type FlowData } from './graph';
import { useKindName } from './kinds';
import { Trace } from './Trace';

function FlowNode({ data }: NodeProps<Node<FlowData>>) {
  const kind = useKindName();
  return (
    <div className={css.node} data-group={data.container || undefined}>
      <Handle type="target" position={Position.Left} id="target" isConnectable={false} />
      <Text fz="sm" fw={600} truncate>{data.title}</Text>
      <Badge size="xs" variant="light" tt="none">{kind(data.kind)}</Badge>
      {data.handles.map((handle, i) => (
        <Handle key={handle} type="source" position={Position.Right} id={handle} isConnectable={false} style={{ top: `${((i + 1) / (data.handles.length + 1)) * 100}%` }} />
      ))}
    </div>
  );
}

/** How much of the graph the canvas shows readably: beside the menu and the trial on a desk, alone on a phone. */
function sight(): number {
  const width = window.innerWidth;
  return (width > 860 ? (width - 224) * 0.62 : width) / READABLE;
}

const TYPES = { step: FlowNode };

/** The graph of an app to look at, and the app to run, with the trace of its steps. */
export default function FlowPage() {
  const { t } = useTranslation();
  const app = useFrameApp();
  const scheme = useComputedColorScheme('light');
  const [values, setValues] = useState<Inputs>({});
  const draft = useFlowDraft(app.id);
  const chat = useChat({ path: `/apps/${app.id}/chat-messages`, follow: (run) => `/apps/${app.id}/workflow-runs/${run}/events` });
  const service = chatService(`/apps/${app.id}`, served(draft.data?.features ?? {}));
  const graph = useMemo(() => (draft.data ? layout(draft.data, sight()) : null), [draft.data]);
  if (draft.isPending) return <div style={{ padding: 32 }}><RowSkeletons /></div>;
  if (!graph) return <Failed error={draft.error} retry={() => draft.refetch()} />;
  const form = entries(graph.form);
  return (
    <div className={css.page}>
      <HiddenTitle title={t('studio:tab.flow')} />
      <div className={css.canvas} aria-label={t('flow:graph')} role="region">
        <ReactFlow<Node<FlowData>> nodes={graph.nodes} edges={graph.edges} nodeTypes={TYPES} colorMode={scheme} fitView fitViewOptions={{ maxZoom: 1, padding: 0.15, nodes: graph.focus }} minZoom={0.1} nodesDraggable={false} nodesConnectable={false} edgesFocusable={false}>
          <Background />
          <MiniMap pannable zoomable className={css.map} bgColor="var(--sp-card)" maskColor="color-mix(in srgb, var(--sp-sunken) 70%, transparent)" nodeColor="var(--sp-accent)" />
          <Controls showInteractive={false} />
        </ReactFlow>
      </div>
      <section className={css.run} aria-label={t('flow:run')}>
        {app.mode === 'workflow' ? (
          <CompletionPanel appId={app.id} path={`/apps/${app.id}/workflows/draft/run`} stop={(task) => `/apps/${app.id}/chat-messages/${task}/stop`} form={form} values={values} onValues={setValues} service={service} noForm={t('share:noForm')} runLabel={t('flow:run')} disabled={false} />
        ) : (
          <Chat chat={chat} avatar={<AppIcon app={app} size={32} />} opener={graph.opener} suggestions={graph.questions} form={form} values={values} onValues={setValues} service={service} fileRules={messageRules(draft.data?.features?.file_upload)} openSources trace={(turn) => <Trace steps={turn.steps} />} />
        )}
      </section>
    </div>
  );
}
