import { useQuery } from '@tanstack/react-query';

import { ApiForm } from './ApiForm';
import { toolApi, type StoredApi, type StoredMcp, type StoredWorkflow, type ToolProvider, words } from './api';
import { Credentials } from './Credentials';
import { McpForm } from './McpForm';
import { Stored } from './ToolDialog';
import { WorkflowForm } from './WorkflowForm';

/** The form of a tool that is there already. */
export function EditTool({ provider, onClose }: { provider: ToolProvider; onClose: () => void }) {
  const builtin = provider.type === 'builtin';
  const stored = useQuery({ queryKey: ['tools', 'one', provider.type, provider.id], queryFn: () => toolApi.get(provider), enabled: !builtin, gcTime: 0 });
  if (builtin) return <Credentials provider={provider} onClose={onClose} />;
  return (
    <Stored query={stored} title={words(provider.label, provider.name)} onClose={onClose}>
      {(data) =>
        provider.type === 'api' ? (
          <ApiForm stored={data as StoredApi} onClose={onClose} />
        ) : provider.type === 'mcp' ? (
          <McpForm stored={data as StoredMcp} onClose={onClose} />
        ) : (
          <WorkflowForm stored={data as StoredWorkflow} onClose={onClose} />
        )
      }
    </Stored>
  );
}
