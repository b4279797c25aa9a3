using System;
using System.Collections.Generic;
using System.Linq;
using Unity.InferenceEngine;
using UnityEngine;

/// A face that speaks what its AudioSource plays or, where that has no clip, what the microphone hears.
[RequireComponent(typeof(AudioSource))]
public class SpeechFace : MonoBehaviour
{
    const int RingS = 2;  // of the microphone's sound that is kept
    const float FullWeight = 100;  // of a blend shape

    public ModelAsset model;
    public ModelFacts facts;  // beneath the model in the Project window
    public SkinnedMeshRenderer[] meshes;

    readonly List<(SkinnedMeshRenderer mesh, int shape, int channel)> moved =
        new List<(SkinnedMeshRenderer, int, int)>();
    SpeechModel speech;
    AudioSource source;
    AudioClip clip;
    bool listens;
    int read;  // samples of the clip, or the place in the microphone's ring
    bool told;  // whether a frame was

    int FrameSamples => Mathf.CeilToInt(facts.sample_rate / facts.fps);

    void OnEnable()
    {
        source = GetComponent<AudioSource>();
        listens = source.clip == null;
        clip = listens ? Microphone.Start(null, true, RingS, facts.sample_rate) : source.clip;
        if (clip.frequency != facts.sample_rate || clip.channels != 1)
            throw new InvalidOperationException(
                $"{clip.name}: in its import settings, Force To Mono, and override the sample rate: {facts.sample_rate} Hz");
        if (!listens)
            source.Play();
        speech = new SpeechModel(model);
        (read, told) = (0, false);
        moved.Clear();
        foreach (var mesh in meshes)
            for (var shape = 0; shape < mesh.sharedMesh.blendShapeCount; shape++)
            {
                var channel = Array.FindIndex(facts.channels, name => Names(mesh.sharedMesh.GetBlendShapeName(shape), name));
                if (channel >= 0)
                    moved.Add((mesh, shape, channel));
            }
    }

    // jawOpen, JawOpen and face.jawOpen are all JawOpen.
    static bool Names(string shape, string channel) =>
        shape.Split('.').Last().Equals(channel, StringComparison.OrdinalIgnoreCase);

    void Update()
    {
        var samples = Heard();
        if (samples < (told ? 0 : facts.flush_samples) + FrameSamples)
            return;  // so that each call tells a frame, and no tensor is empty
        var curves = speech.Push(Sound(samples));
        told = true;
        var last = curves.Length - facts.channels.Length;
        foreach (var move in moved)
            move.mesh.SetBlendShapeWeight(move.shape, FullWeight * curves[last + move.channel]);
    }

    // How many samples there are that were not read. A clip is known before it is heard: it is read ahead, so that the
    // frame that was told last is the one that is heard, and after its end there is silence.
    int Heard()
    {
        if (listens)
            return (Microphone.GetPosition(null) - read + clip.samples) % clip.samples;
        var ahead = facts.flush_samples + FrameSamples;
        return (source.isPlaying ? source.timeSamples : clip.samples) + ahead - read;
    }

    // The next samples; zeros after a clip's end.
    float[] Sound(int samples)
    {
        var sound = new float[samples];
        var there = listens ? samples : Mathf.Clamp(clip.samples - read, 0, samples);
        if (there > 0)
        {
            var part = new float[there];
            clip.GetData(part, read);  // goes on at a ring's beginning
            part.CopyTo(sound, 0);
        }
        read += samples;
        if (listens)
            read %= clip.samples;
        return sound;
    }

    void OnDisable()
    {
        if (listens)
            Microphone.End(null);
        speech?.Dispose();
    }
}
