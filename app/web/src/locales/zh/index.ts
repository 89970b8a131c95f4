import access from './access.json';
import annotations from './annotations.json';
import auth from './auth.json';
import box from './box.json';
import chat from './chat.json';
import common from './common.json';
import errors from './errors.json';
import flow from './flow.json';
import knowledge from './knowledge.json';
import logs from './logs.json';
import models from './models.json';
import prompt from './prompt.json';
import share from './share.json';
import studio from './studio.json';
import tools from './tools.json';
import versions from './versions.json';

export default { access, annotations, auth, box, chat, common, errors, flow, knowledge, logs, models, prompt, share, studio, tools, versions };
