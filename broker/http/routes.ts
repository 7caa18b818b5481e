/**
 * The table of routes: all that the broker answers over HTTP.
 */
import type { BrokerContext } from "../core/context.ts";
import { healthRoutes } from "./health.ts";
import { fileDownload } from "./file_download.ts";
import { fileUpload, uploadOffset } from "./file_upload.ts";
import { hookStatus } from "./hook_status.ts";
import { invitePage } from "./invite_page.ts";
import { inviteClaim, meshCreation, tokenJoin } from "./joining.ts";
import type { Route } from "./route.ts";

/** Every route of a broker. */
export function routesOf(broker: BrokerContext): readonly Route[] {
  return [
    ...healthRoutes(broker),
    hookStatus,
    meshCreation,
    inviteClaim,
    tokenJoin,
    invitePage,
    fileUpload,
    uploadOffset,
    fileDownload,
  ];
}
