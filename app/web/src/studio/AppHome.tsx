import { Navigate } from 'react-router';

import { isGraph, useFrameApp } from './AppFrame';

/** An app opens in its editor. */
export default function AppHome() {
  const app = useFrameApp();
  return <Navigate to={`/apps/${app.id}/${isGraph(app) ? 'flow' : 'prompt'}`} replace />;
}
