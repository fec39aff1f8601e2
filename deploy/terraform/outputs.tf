output "environment" {
  description = "What to write into .env to work on this dataset from elsewhere."
  value = {
    AI_USAGE_BIGQUERY_PROJECT  = var.project
    AI_USAGE_BIGQUERY_DATASET  = google_bigquery_dataset.warehouse.dataset_id
    AI_USAGE_BIGQUERY_LOCATION = google_bigquery_dataset.warehouse.location
  }
}

output "image_repository" {
  description = "Where to push the image before the machine can start."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "pipeline_service_account" {
  description = "The machine's identity."
  value       = google_service_account.pipeline.email
}

output "metabase_service_account" {
  description = "Make a key for it by hand and give it to Metabase's database connection."
  value       = google_service_account.metabase.email
}

output "secrets" {
  description = "Secrets that wait for a value."
  value       = [for secret in google_secret_manager_secret.key : secret.secret_id]
}

output "open_dagster" {
  description = "A tunnel to Dagster's pages, on http://localhost:3000."
  value       = "gcloud compute ssh ${google_compute_instance.platform.name} --project ${var.project} --zone ${var.zone} --tunnel-through-iap -- -N -L 3000:127.0.0.1:3000"
}

output "open_metabase" {
  description = "A tunnel to Metabase, on http://localhost:3001."
  value       = "gcloud compute ssh ${google_compute_instance.platform.name} --project ${var.project} --zone ${var.zone} --tunnel-through-iap -- -N -L 3001:127.0.0.1:3001"
}
