using UnityEngine;

/// What a model's file says of its numbers, as scripts/export_model.py wrote it; it lies beneath the model's asset.
public class ModelFacts : ScriptableObject
{
    public string[] channels;  // ARKit's names, one a column of curves
    public float fps;
    public int sample_rate;
    public int flush_samples;  // of silence after a sound, until its last frame is told
}
