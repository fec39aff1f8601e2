# Who may do what: the pipeline writes one dataset and reads the named secrets, Metabase reads one dataset, operators open a tunnel.

resource "google_service_account" "pipeline" {
  account_id   = "ai-usage-pipeline"
  display_name = "AI usage: pipeline"
  description  = "The machine's identity. Writes the dataset, runs queries, reads the vendors' keys."
}

resource "google_service_account" "metabase" {
  account_id   = "ai-usage-metabase"
  display_name = "AI usage: Metabase"
  description  = "Reads the dataset. Its key is made by hand and given to Metabase: Terraform would write it into the state."
}

resource "google_bigquery_dataset_iam_member" "pipeline_writes" {
  dataset_id = google_bigquery_dataset.warehouse.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.pipeline.member
}

resource "google_bigquery_dataset_iam_member" "metabase_reads" {
  dataset_id = google_bigquery_dataset.warehouse.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.metabase.member
}

# Running a query is a right in the project; it reads nothing that a dataset does not grant.
resource "google_project_iam_member" "runs_queries" {
  for_each = {
    pipeline = google_service_account.pipeline.member
    metabase = google_service_account.metabase.member
  }
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = each.value
}

resource "google_project_iam_member" "pipeline_logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.pipeline.member
}

resource "google_artifact_registry_repository_iam_member" "pipeline_pulls" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.pipeline.member
}

# Secrets without values: a value in Terraform would stand in its state. README.md says how a value is added.
resource "google_secret_manager_secret" "key" {
  for_each  = local.chosen
  secret_id = each.value
  labels    = local.labels
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
  depends_on = [google_project_service.used]
}

resource "google_secret_manager_secret_iam_member" "pipeline_reads" {
  for_each  = google_secret_manager_secret.key
  secret_id = each.value.id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.pipeline.member
}

resource "google_iap_tunnel_instance_iam_member" "operators" {
  for_each = var.operators
  zone     = var.zone
  instance = google_compute_instance.platform.name
  role     = "roles/iap.tunnelResourceAccessor"
  member   = each.key
}

# An operator is root on this machine and so sees what the pipeline sees; on this machine only, by OS Login.
resource "google_compute_instance_iam_member" "operators" {
  for_each      = var.operators
  zone          = var.zone
  instance_name = google_compute_instance.platform.name
  role          = "roles/compute.osAdminLogin"
  member        = each.key
}

# OS Login with a machine that has a service account asks for the right to act as it.
resource "google_service_account_iam_member" "operators" {
  for_each           = var.operators
  service_account_id = google_service_account.pipeline.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.key
}
